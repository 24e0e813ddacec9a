"""What Prometheus is told: of the lanes, from Redis alone, and of a worker by itself. `docs/metrics.md` has all."""

from worker.metrics.collector import LanesCollector, register

__all__ = ["LanesCollector", "register"]
