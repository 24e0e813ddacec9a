"""TODO lanes/dead_letters."""
