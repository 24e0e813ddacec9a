"""Metrics for Prometheus: of the lanes, and of a worker. See `docs/metrics.md`."""

from worker.metrics.collector import LanesCollector, register

__all__ = ["LanesCollector", "register"]
