"""TODO lanes/storage."""
