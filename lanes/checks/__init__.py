"""TODO lanes/checks."""
