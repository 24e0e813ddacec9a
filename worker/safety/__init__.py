"""TODO worker/safety."""
