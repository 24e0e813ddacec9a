"""Ratios of speed and size, measured side by side."""
