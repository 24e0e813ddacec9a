"""The dead-letter pages."""
