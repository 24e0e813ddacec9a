"""The collector: what Prometheus reads of the lanes, from a look at Redis that is a few seconds old at most.

It looks in a thread of its own, one look at a time, and only when it is asked. Whoever asks waits a moment for it and
no longer: neither a Redis that is away nor ten thousand lanes hold up the loop that serves other people.
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
SHARE_OF_TIME = 20  # a look that takes long is fresh for so many times as long: watching costs Redis 5 % at most
STALE_SECONDS = 60.0
WAIT_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class ScrapeResult:
    """What came of a look. Times in seconds, by the clock of this process."""

    snapshot: MetricsSnapshot | None
    up: bool
    ended_at: float
    seconds: float

    @property
    def fresh_until(self) -> float:
        """Until when no other look is needed."""
        if self.snapshot is None:
            return self.ended_at + FRESH_SECONDS
        return self.ended_at + min(max(FRESH_SECONDS, SHARE_OF_TIME * self.seconds), STALE_SECONDS / 2)


class LanesCollector(CatalogueCollector):
    """Tells Prometheus what the last look showed, after a new one if that is not fresh and the new one is quick.
    Thread-safe.

    Args:
        store: where the lanes are.
        settings: the limits that all locations have, and how many lanes are named.
        wait: for how many seconds whoever asks waits for a look that is under way.
    """

    def __init__(self, store: LaneStore, settings: DashboardSettings, wait: float = WAIT_SECONDS) -> None:
        super().__init__(CELL_METRICS, lambda: self._report(self.refresh(self.wait)))
        self._store = store
        self._settings = settings
        self.wait = wait
        self._changed = threading.Condition()
        self._scraping = False
        self._result: ScrapeResult | None = None

    def refresh(self, wait: float) -> ScrapeResult | None:
        """Look again unless the last look is fresh; wait so many seconds for that; return the last look, if any."""
        with self._changed:
            if self._result is None or time.monotonic() >= self._result.fresh_until:
                if not self._scraping:
                    threading.Thread(target=self._scrape, name="metrics", daemon=True).start()
                    self._scraping = True  # it cannot have ended: that takes the lock
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
    def _report(result: ScrapeResult | None) -> Iterator[Sample]:
        """Tell what was seen; nothing that is so old that it would mislead."""
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
    """Let Prometheus read of the lanes in whatever serves this registry, by default what Flower serves at /metrics.

    A first look begins at once. Once in a process; the caller may `registry.unregister` what is returned.

    Raises:
        ValueError: it was done already.
    """
    collector = LanesCollector(store, settings, wait)
    registry.register(collector)
    collector.refresh(0)
    return collector
