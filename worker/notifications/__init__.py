"""TODO worker/notifications."""
