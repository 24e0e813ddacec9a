"""What Prometheus would read, as a test reads it."""

from collections.abc import Callable, Iterable, Iterator

import pytest
from prometheus_client.core import Metric

from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from tests.lanes.conftest import LIMITS, ClockedStore
from worker.metrics.collector import LanesCollector

SETTINGS = WorkerSettings(burst_limit=LIMITS.burst, burst_window_seconds=LIMITS.window, daily_limit=LIMITS.daily)
TIMEOUT = 60.0  # seconds; far beyond what any machine needs


def values(metrics: Iterable[Metric]) -> dict[str, float]:
    """Return the samples as `name{label=value,...}`, in the order of the label names."""
    found = {}
    for metric in metrics:
        for sample in metric.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert name not in found, f"{name} twice: Prometheus would refuse all of it"
            found[name] = sample.value
    return found


@pytest.fixture
def store(redis_url: str) -> Iterator[ClockedStore]:
    """An empty store at a time of its own."""
    store = ClockedStore(redis_url)
    yield store
    store.close()


Scrape = Callable[..., dict[str, float]]


@pytest.fixture
def scrape() -> Scrape:
    """Read a store again and return what Prometheus would scrape."""

    def scrape_(store: LaneStore, settings: WorkerSettings = SETTINGS) -> dict[str, float]:
        return values(LanesCollector(store, settings, wait=TIMEOUT).collect())

    return scrape_
