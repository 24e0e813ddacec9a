"""TODO ops/embedded."""
