"""TODO worker/logging."""
