"""The collector: the metrics of the lanes for Prometheus, from a snapshot of Redis that is a few seconds old at most.

Snapshots are taken on request, in a thread of their own, one at a time. A request waits for a short time only: neither
an unavailable Redis nor ten thousand lanes block the loop that serves other requests.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from prometheus_client import REGISTRY, CollectorRegistry

from lanes.errors import LanesError, RedisUnavailableError
from lanes.queue.store import LaneStore
from lanes.settings import DashboardSettings
from worker.metrics.catalogue import CELL_METRICS
from worker.metrics.samples import CatalogueCollector, Sample
from worker.metrics.snapshot import MetricsSnapshot, take_snapshot

log = structlog.get_logger()

FRESH_SECONDS = 5.0
FRESH_FACTOR = 20  # a slow snapshot is fresh for 20 times its duration, so it costs Redis 5 % of its time at most
STALE_SECONDS = 60.0
WAIT_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class ScrapeResult:
    """A snapshot, or None if it failed. Times in seconds of `time.monotonic()`."""

    snapshot: MetricsSnapshot | None
    up: bool
    ended_at: float
    seconds: float

    @property
    def fresh_until(self) -> float:
        """Until when no new snapshot is taken."""
        if self.snapshot is None:
            return self.ended_at + FRESH_SECONDS
        return self.ended_at + min(max(FRESH_SECONDS, FRESH_FACTOR * self.seconds), STALE_SECONDS / 2)


class LanesCollector(CatalogueCollector):
    """Collects the metrics of the last snapshot, after a new one if that is due and quick. Thread-safe.

    Args:
        store: the lanes.
        settings: the caps of all locations, and how many lanes have series of their own.
        wait: for how many seconds a request waits for a new snapshot.
    """

    def __init__(self, store: LaneStore, settings: DashboardSettings, wait: float = WAIT_SECONDS) -> None:
        super().__init__(CELL_METRICS, lambda: self._samples_of(self.refresh(self.wait)))
        self._store = store
        self._settings = settings
        self.wait = wait
        self._changed = threading.Condition()
        self._scraping = False
        self._result: ScrapeResult | None = None

    def refresh(self, wait: float) -> ScrapeResult | None:
        """Take a snapshot unless the last one is fresh, wait for it at most `wait` seconds, return the last one."""
        with self._changed:
            if self._result is None or time.monotonic() >= self._result.fresh_until:
                if not self._scraping:
                    threading.Thread(target=self._scrape, name="metrics", daemon=True).start()
                    self._scraping = True  # the thread cannot have ended: it needs the lock
                self._changed.wait_for(lambda: not self._scraping, wait)
            return self._result

    def _scrape(self) -> None:
        started = time.monotonic()
        snapshot, up = None, True
        try:
            snapshot = take_snapshot(self._store, self._settings)
        except RedisUnavailableError as error:
            up = False
            log.debug("metrics_without_redis", error=str(error))
        except LanesError as error:
            log.warning("metrics_failed", error=str(error))
        except Exception:
            log.exception("metrics_failed")
        now = time.monotonic()
        with self._changed:
            self._result = ScrapeResult(snapshot, up, now, now - started)
            self._scraping = False
            self._changed.notify_all()

    @staticmethod
    def _samples_of(result: ScrapeResult | None) -> Iterator[Sample]:
        """Return the samples of a snapshot. A stale one has none of the lanes: they would mislead."""
        if result is None:
            yield Sample("lanes_scrape_success", 0)
            return
        age = time.monotonic() - result.ended_at
        stale = age > STALE_SECONDS
        whole = result.snapshot is not None and not stale
        yield Sample("lanes_redis_up", result.up and not stale)
        yield Sample("lanes_scrape_success", whole)
        yield Sample("lanes_scrape_seconds", result.seconds)
        yield Sample("lanes_scrape_age_seconds", age)
        if result.snapshot is not None and whole:
            yield from result.snapshot.samples()


def register(
    store: LaneStore, settings: DashboardSettings, registry: CollectorRegistry = REGISTRY, wait: float = WAIT_SECONDS
) -> LanesCollector:
    """Add the metrics of the lanes to a registry, by default the one that Flower serves at /metrics.

    Takes a first snapshot at once. `registry.unregister` removes what this returns.

    Raises:
        ValueError: the registry has them already.
    """
    collector = LanesCollector(store, settings, wait)
    registry.register(collector)
    collector.refresh(0)
    return collector
