"""Reads lanes and counts. Light: `lanes status` imports it without what jobs need."""

from collections.abc import Iterable, Sequence
from typing import Any

from lanes.queue.global_state import GlobalState
from lanes.queue.lane import Lane, read_counts
from lanes.storage.access import RedisAccess
from lanes.storage.stored import bytes_of, text_of

LANES_IN_A_CALL = 200


class LaneReader(RedisAccess):
    """Reads the state of the lanes. Thread-safe. Errors are those of `RedisAccess`."""

    def counts(self) -> dict[str, int]:
        """Return the number of jobs accepted and in each state, and of attempts `retried`, `throttled`, `reclaimed`."""
        return read_counts(self.read_hash("counts"), "counts", self.unreadable)

    def global_state(self) -> GlobalState:
        """Return what stops all lanes."""
        return GlobalState.parse(self.read_hash("global_state"), self.time(), self.unreadable)

    def locations(self) -> set[str]:
        """Return every location with a lane."""
        found = self.read_key(set[bytes](), self.key("locations"), lambda client, key: client.smembers(key))
        return set(map(text_of, found))

    def is_location(self, location_id: str) -> bool:
        """Return whether a location has a lane; an idle one ends after a day."""
        key = self.key("locations")
        return bool(self.read_key(0, key, lambda client, key: client.sismember(key, bytes_of(location_id))))

    def lanes(self, location_ids: Iterable[str] | None = None) -> list[Lane]:
        """Return every lane, or those of these locations that exist, sorted by location id."""
        known = self.locations()
        names = sorted(known if location_ids is None else known.intersection(location_ids))
        calls = [names[start : start + LANES_IN_A_CALL] for start in range(0, len(names), LANES_IN_A_CALL)]
        replies = self.run_readers("read_lanes", calls)
        return [lane for call, reply in zip(calls, replies, strict=True) for lane in self._lanes(call, reply)]

    def read_lanes(self, location_ids: Sequence[str]) -> list[Lane]:
        """Return lanes in the given order; a location without a lane has an empty one."""
        return self._lanes(location_ids, self.run_reader("read_lanes", *location_ids))

    def _lanes(self, location_ids: Sequence[str], replies: Sequence[Any]) -> list[Lane]:
        return [Lane.parse(name, reply, self.unreadable) for name, reply in zip(location_ids, replies, strict=True)]
