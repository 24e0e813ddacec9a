"""The lanes pages."""
