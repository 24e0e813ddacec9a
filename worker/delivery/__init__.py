"""TODO worker/delivery."""
