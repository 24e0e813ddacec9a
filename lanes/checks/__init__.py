"""Checks of a live Redis: consistency and repair, the server, permissions."""
