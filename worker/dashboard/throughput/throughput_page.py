"""The throughput page."""

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from tornado.web import url

from lanes.activity.series import last_day, last_hour
from lanes.checks.worker_reports import live_reports
from lanes.errors import LanesError
from lanes.queue.store import LaneStore
from lanes.services.store import ServiceStore
from worker.dashboard.page import Page
from worker.dashboard.throughput import statistics
from worker.metrics.lane_aggregates import in_use

Found = TypeVar("Found")
HOUR_TTL_SECONDS, DAY_TTL_SECONDS = 1.5, 30.0


class CachedRead(Generic[Found]):
    """What is read again when it is older than `seconds`, once for all requests. Thread-safe.

    Requests that wait for a failing read get its error and do not try again.
    """

    def __init__(self, read: Callable[[LaneStore], Found], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._lock = threading.Lock()
        self._known: dict[LaneStore, tuple[float, Found | LanesError]] = {}

    def of(self, store: LaneStore) -> Found:
        """Return it for a store.

        Raises:
            LanesError: Redis is unavailable.
        """
        came_at = time.monotonic()
        with self._lock:
            read_at, found = self._known.get(store, (float("-inf"), None))
            fresh = read_at > came_at if isinstance(found, LanesError) else came_at - read_at < self._seconds
            if found is None or not fresh:
                found = self._read_or_error(store)
                self._known[store] = (time.monotonic(), found)
        if isinstance(found, LanesError):
            raise type(found)(*found.args)  # a new one each time: the same one would collect tracebacks
        return found

    def _read_or_error(self, store: LaneStore) -> Found | LanesError:
        try:
            return self._read(store)
        except LanesError as error:
            return error


class ThroughputPage(Page):
    """The page."""

    def get(self) -> None:
        """Show the page; its numbers come as data."""
        self.show("throughput.html", active="throughput")


class ThroughputData(Page):
    """Its numbers."""

    HOUR = CachedRead(last_hour, HOUR_TTL_SECONDS)
    DAY = CachedRead(last_day, DAY_TTL_SECONDS)
    REPORTS = CachedRead(live_reports, HOUR_TTL_SECONDS)
    SERVICES = CachedRead(lambda store: ServiceStore(store).list(), HOUR_TTL_SECONDS)

    async def get(self) -> None:
        """Send them."""
        self.send_json(await self.run_in_thread(self._numbers))

    def _numbers(self) -> dict[str, Any]:
        store, settings = self.store, self.lanes_settings
        seen, hour, day = self.lane_cache.snapshot(), self.HOUR.of(store), self.DAY.of(store)
        used = in_use(seen.lanes, seen.global_state, settings)
        return {
            "at": hour.now,
            "age": seen.age,
            "error": seen.error,
            "counts": dict(seen.counts),
            "rates": statistics.rates(hour),
            "in_use": used,
            "backlog": statistics.backlog(seen.lanes, seen.global_state, hour, settings),
            "oldest": self._linked(statistics.oldest(seen.lanes)),
            "held": self._linked(statistics.held(seen.lanes)),
            "braked": self._linked(statistics.braked(seen.lanes)),
            "latency": statistics.latency(hour),
            "workers": statistics.worker_usage(self.REPORTS.of(store).values(), used),
            "services": list(map(statistics.service_usage, self.SERVICES.of(store))),
            "global_state": statistics.global_stops(seen.global_state),
            "hour": statistics.chart(hour),
            "day": statistics.chart(day),
        }

    def _linked(self, found: dict[str, Any] | None) -> dict[str, Any] | None:
        return found and {**found, "url": self.page_url("lane", found["location_id"])}


handlers: list[url] = [
    url(r"/throughput", ThroughputPage, name="throughput"),
    url(r"/throughput/data", ThroughputData, name="throughput_data"),
]
