"""TODO producers/files."""
