"""Rows of files: CSV, JSON Lines, exported dead letters."""
