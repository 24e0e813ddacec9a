"""Throughput: how fast, how full, how late."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from tornado.web import url

from lanes.errors import LanesError
from lanes.series import Series, last_day, last_hour
from lanes.store import LaneStore
from worker.dashboard import figures
from worker.dashboard.page import Page

HOUR_KEPT_SECONDS, DAY_KEPT_SECONDS = 1.5, 30.0


class Kept:
    """A series, read again when it is older than so many seconds: Redis is asked once for all who look. Thread-safe.

    Where Redis is silent, whoever waited behind the one who asked gets his answer, and does not wait anew.
    """

    def __init__(self, read: Callable[[LaneStore], Series], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._lock = threading.Lock()
        self._known: dict[LaneStore, tuple[float, Series | LanesError]] = {}

    def of(self, store: LaneStore) -> Series:
        """Return the series of this store.

        Raises:
            LanesError: Redis is away.
        """
        came_at = time.monotonic()
        with self._lock:
            read_at, found = self._known.get(store, (float("-inf"), None))
            fresh = read_at > came_at if isinstance(found, LanesError) else came_at - read_at < self._seconds
            if found is None or not fresh:
                found = self._ask(store)
                self._known[store] = (time.monotonic(), found)
        if isinstance(found, LanesError):
            raise type(found)(*found.args)  # another each time: one would collect tracebacks
        return found

    def _ask(self, store: LaneStore) -> Series | LanesError:
        try:
            return self._read(store)
        except LanesError as error:
            return error


@dataclass(frozen=True, slots=True)
class Band:
    """A row of the latency table."""

    name: str
    title: str


class Throughput(Page):
    """The page."""

    BANDS: ClassVar = (Band("waits", "Enqueue to delivery"), Band("answers", "Answer of the API"))

    def get(self) -> None:
        """Show it."""
        self.show("throughput.html", active="throughput", bands=self.BANDS, settings=self.settings_of_lanes)


class ThroughputData(Page):
    """Its numbers."""

    HOUR = Kept(last_hour, HOUR_KEPT_SECONDS)
    DAY = Kept(last_day, DAY_KEPT_SECONDS)

    async def get(self) -> None:
        """Answer them."""
        workers = self.dashboard.workers_seen()
        self.answer(await self.in_thread(self._numbers, workers))

    def _numbers(self, workers: list[figures.WorkerSeen]) -> dict[str, Any]:
        store, settings = self.store, self.settings_of_lanes
        seen, hour, day = self.watcher.snapshot(), self.HOUR.of(store), self.DAY.of(store)
        return {
            "at": hour.now,
            "counts": dict(seen.counts),
            "rates": figures.rates(hour),
            "in_use": figures.in_use(seen.lanes, seen.gate, settings),
            "backlog": figures.backlog(seen.lanes, seen.gate, hour, settings),
            "oldest": self._linked(figures.oldest(seen.lanes)),
            "held": self._linked(figures.held(seen.lanes)),
            "braked": self._linked(figures.braked(seen.lanes)),
            "latency": figures.latency(hour),
            "workers": figures.crew(workers, seen.counts["in_flight"], settings.shift_threads),
            "gate": figures.stops(seen.gate),
            "hour": figures.chart(hour),
            "day": figures.chart(day),
        }

    def _linked(self, found: dict[str, Any] | None) -> dict[str, Any] | None:
        return found and {**found, "url": self.page_url("lane", found["location_id"])}


handlers: list[url] = [
    url(r"/throughput", Throughput, name="throughput"),
    url(r"/throughput/data", ThroughputData, name="throughput_data"),
]
