"""Outcomes: what became of a service's jobs. The script that ends a job appends one to the stream of its service."""
