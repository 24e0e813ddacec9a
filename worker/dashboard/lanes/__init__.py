"""TODO worker/dashboard/lanes."""
