"""TODO lanes/activity."""
