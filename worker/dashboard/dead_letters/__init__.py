"""TODO worker/dashboard/dead_letters."""
