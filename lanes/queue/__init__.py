"""TODO lanes/queue."""
