"""What reads all lanes, for whoever looks."""

import time
from dataclasses import dataclass

from lanes.gate import Gate
from lanes.lane import Lane
from lanes.store import LaneStore


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All lanes at one time, in seconds since the epoch."""

    at: float
    lanes: tuple[Lane, ...]
    counts: dict[str, int]
    gate: Gate


class Watcher:
    """Reads all lanes when it is asked."""

    def __init__(self, store: LaneStore) -> None:
        self._store = store

    def snapshot(self) -> Snapshot:
        """Return the lanes, the counts and the gate. Waits for Redis: call it in a thread.

        Raises:
            RedisUnavailableError: Redis is away.
        """
        store = self._store
        return Snapshot(time.time(), tuple(store.lanes()), store.counts(), store.gate())
