"""A cache of all lanes for the process, read only while it is used."""

import math
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from lanes.errors import LanesError
from lanes.queue.global_state import GlobalState
from lanes.queue.lane import Lane
from lanes.queue.store import LaneStore
from lanes.storage.redis_errors import own_errors
from worker.safety.supervisor import Loop, Supervisor

# The reader is busy for at most this share of its time, and reads at most this often.
MAX_LOAD = 1 / 20
MIN_INTERVAL_SECONDS = 1.0
# A request that finds a snapshot older than this waits a little for a new one.
STALE_SECONDS = 5.0
MAX_WAIT_SECONDS = 0.3
FIRST_WAIT_SECONDS = 30.0

UNEXPECTED_ERROR = "unexpected error; see the log of the dashboard"


@dataclass(frozen=True, slots=True)
class LaneSnapshot:
    """All lanes by name, the counts, and what stops all lanes, at one time.

    `at` is in seconds since the epoch, `age` in seconds at the request. `error` is why the last read failed.
    """

    at: float
    lanes: tuple[Lane, ...]
    counts: dict[str, int]
    global_state: GlobalState
    age: float = 0.0
    error: str | None = None
    by_name: Mapping[str, Lane] = field(default_factory=dict)

    def lane(self, location_id: str) -> Lane | None:
        """Return the lane of a location, None when there is none."""
        return self.by_name.get(location_id)


@dataclass(frozen=True, slots=True)
class TimedSnapshot:
    """A snapshot, when its read began by `time.monotonic()`, and how long it took."""

    snapshot: LaneSnapshot
    begun_at: float
    seconds: float


class LaneCache:
    """Reads all lanes in its own thread while it is used. Thread-safe.

    The pause after a read is 20 times as long as the read, at least a second: with 10 or 10,000 lanes, it costs less
    than 5 % of a core.
    """

    def __init__(self, store: LaneStore, supervisor: Supervisor | None = None) -> None:
        self._store = store
        self._supervisor = supervisor or Supervisor()
        self._supervisor.failures.add("lane_cache")  # from the start, though the loop starts later
        self._wake = threading.Event()
        self._changed = threading.Condition()
        self._reading: TimedSnapshot | None = None
        self._failure: LanesError | None = None
        self._failed_at = 0.0
        self._asked_at = self._begun_at = float("-inf")
        self._next_at = 0.0
        self._refreshed: dict[str, Lane] = {}
        self._started = False

    def snapshot(self) -> LaneSnapshot:
        """Return the newest snapshot and request the next one. Call it in a thread: it may wait for Redis.

        It waits for the first snapshot, and a moment if the last one is old.

        Raises:
            LanesError: Redis is unavailable, and there is no snapshot yet.
        """
        now = time.monotonic()
        with self._changed:
            self._request(now)
            if self._reading is None:
                known = self._failed_at
                self._changed.wait_for(lambda: self._reading or self._failed_at != known, FIRST_WAIT_SECONDS)
                if self._reading is None and self._failure is not None:
                    raise type(self._failure)(*self._failure.args)  # a new one: the same one would collect tracebacks
            elif now - self._reading.begun_at > max(STALE_SECONDS, 2 * self._reading.seconds / MAX_LOAD):
                self._changed.wait_for(lambda: self._is_newer(now), MAX_WAIT_SECONDS)
            if self._reading is None:
                message = f"Redis has not answered within {FIRST_WAIT_SECONDS:g} s"
                raise LanesError(message)
            error = None if self._failure is None else str(self._failure)
            age = max(0.0, time.monotonic() - self._reading.begun_at)
            return replace(self._reading.snapshot, age=age, error=error)

    def refresh(self, *location_ids: str) -> None:
        """After a change: read these lanes, the counts and the global state at once.

        Raises:
            LanesError: Redis is unavailable.
        """
        begun_at = time.monotonic()
        lanes = {lane.location_id: lane for lane in self._store.read_lanes(location_ids)} if location_ids else {}
        counts, global_state = self._store.counts(), self._store.global_state()
        with self._changed:
            self._refreshed |= lanes  # a read in progress may have begun before the change
            if self._reading is not None and self._reading.begun_at < begun_at:
                snapshot = replace(self._reading.snapshot, counts=counts, global_state=global_state)
                self._reading = replace(self._reading, snapshot=_with(snapshot, lanes))

    def close(self) -> None:
        """End the thread."""
        self._supervisor.stop()

    def _is_newer(self, than: float) -> bool:
        return self._failed_at > than or (self._reading is not None and self._reading.begun_at >= than)

    def _request(self, now: float) -> None:
        """Note a request; the first one starts the loop."""
        self._asked_at = now
        if not self._started:
            self._supervisor.start(Loop("lane_cache", self._step, wake=self._wake))
            self._started = True
        self._wake.set()

    def _step(self) -> float:
        """Read, if there was a request since the last read began and the pause is over."""
        with self._changed:
            now = time.monotonic()
            if self._asked_at <= self._begun_at:
                return math.inf
            if self._next_at > now:
                return self._next_at - now
            self._begun_at = now
            self._refreshed.clear()
        try:
            with own_errors():
                snapshot = self._read()
        except LanesError as error:
            self._fail(error)
        except Exception:
            self._fail(LanesError(UNEXPECTED_ERROR))
            raise
        else:
            self._keep(TimedSnapshot(snapshot, now, time.monotonic() - now))
        return 0.0

    def _read(self) -> LaneSnapshot:
        at = time.time()
        lanes = tuple(self._store.lanes())
        counts, global_state = self._store.counts(), self._store.global_state()
        return LaneSnapshot(at, lanes, counts, global_state, by_name=_by_name(lanes))

    def _keep(self, reading: TimedSnapshot) -> None:
        with self._changed:
            snapshot = _with(reading.snapshot, self._refreshed) if self._refreshed else reading.snapshot
            self._reading = replace(reading, snapshot=snapshot)
            self._failure = None
            self._next_at = time.monotonic() + max(MIN_INTERVAL_SECONDS, reading.seconds / MAX_LOAD)
            self._changed.notify_all()

    def _fail(self, error: LanesError) -> None:
        with self._changed:
            self._failure, self._failed_at = error, time.monotonic()
            self._next_at = time.monotonic() + MIN_INTERVAL_SECONDS
            self._changed.notify_all()


def _by_name(lanes: Iterable[Lane]) -> Mapping[str, Lane]:
    return MappingProxyType({lane.location_id: lane for lane in lanes})


def _with(snapshot: LaneSnapshot, lanes: Mapping[str, Lane]) -> LaneSnapshot:
    """Return a snapshot with some lanes replaced."""
    by_name = {**snapshot.by_name, **lanes}
    ordered = tuple(by_name[name] for name in sorted(by_name))
    return replace(snapshot, lanes=ordered, by_name=MappingProxyType(by_name))
