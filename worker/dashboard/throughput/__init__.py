"""The throughput page."""
