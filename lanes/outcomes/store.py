"""What workers and people do with the streams: trim them, write what a script left, and see who is behind."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lanes.queue.lane_reader import LaneReader
from lanes.queue.transitions import microseconds
from lanes.storage.stored import JsonMixin, StoredHash, as_plain, number_of, text_of


@dataclass(frozen=True, slots=True)
class OutcomeGroup(JsonMixin):
    """A consumer group. `unread` entries are new to it: None if this Redis cannot tell (before 7.0).

    `behind_seconds` is the age of the oldest of them, 0 for none. `unacknowledged` were read, and come again.
    """

    name: str
    unread: int | None
    behind_seconds: float
    unacknowledged: int

    def describe(self) -> str:
        """Return how far it has read, for a person."""
        unread = "an unknown number of" if self.unread is None else self.unread
        return f"with {unread} unread and {self.unacknowledged} unacknowledged outcomes"


@dataclass(frozen=True, slots=True)
class OutcomeSummary:
    """The stream of a service: its entries, the age of the oldest (None for no entry), and its groups.

    `lost_unread` outcomes were removed before a group had read them, counted once for each group.
    """

    entries: int
    oldest_seconds: float | None
    lost_unread: int
    groups: tuple[OutcomeGroup, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**as_plain(self, "groups"), "groups": [group.as_json() for group in self.groups]}


@dataclass(frozen=True, slots=True)
class OutcomeTotals:
    """The streams by service, and how many outcomes were removed because memory was short, or could not be written."""

    streams: dict[str, OutcomeSummary]
    forgotten: int
    lost: int


class OutcomeStore:
    """The streams of all services. Thread-safe; errors are those of `LaneStore`."""

    def __init__(self, lanes: LaneReader) -> None:
        self._lanes = lanes

    def trim_outcomes(self, max_age: float, max_length: int) -> bool:
        """Remove outcomes older than `max_age` seconds, and the oldest beyond `max_length` entries of a service.

        One call removes a few hundred. Return whether there are more to remove.
        """
        _, more = self._lanes.run("trim_outcomes", microseconds(max_age), max_length)
        return bool(more)

    def write_outcomes(self) -> int:
        """Write some outcomes of merged jobs that a script left; return how many jobs still have some."""
        return int(self._lanes.run("write_outcomes"))

    def remove_outcome_group(self, service: str, group: str) -> bool:
        """Remove a consumer group that nobody uses any more; return whether there was one. The outcomes stay."""
        return self._lanes.run_text("remove_outcome_group", service, group) == "removed"

    def summary(self, service: str) -> OutcomeSummary:
        """Return what is in the stream of a service, and how far its groups have read."""
        key, now = self._lanes.key("outcomes", service), self._lanes.time()
        lost = StoredHash(self._lanes.read_hash("service", service)).count("outcomes_unread")
        length = self._lanes.read_key(0, key, lambda client, name: client.xlen(name))
        if not length:
            return OutcomeSummary(0, None, lost, self._groups(key, now))
        return OutcomeSummary(length, self._age(key, "-", now), lost, self._groups(key, now))

    def totals(self, services: Iterable[str]) -> OutcomeTotals:
        """Return what is in the streams of these services."""
        totals = StoredHash(self._lanes.read_hash("totals"))
        streams = {service: self.summary(service) for service in services}
        return OutcomeTotals(streams, totals.count("outcomes_forgotten"), totals.count("outcomes_lost"))

    def _groups(self, key: str, now: float) -> tuple[OutcomeGroup, ...]:
        missing: list[dict[str, Any]] = []
        if not self._lanes.read_key(0, key, lambda client, name: client.exists(name)):
            return ()
        found = self._lanes.read_key(missing, key, lambda client, name: client.xinfo_groups(name))
        return tuple(
            OutcomeGroup(
                name=text_of(each["name"]),
                unread=each.get("lag"),
                behind_seconds=self._age(key, f"({text_of(each['last-delivered-id'])}", now) or 0.0,
                unacknowledged=each["pending"],
            )
            for each in found
        )

    def _age(self, key: str, since: str, now: float) -> float | None:
        missing: list[tuple[bytes, Any]] = []
        found = self._lanes.read_key(missing, key, lambda client, name: client.xrange(name, min=since, count=1))
        at = number_of(found[0][0].partition(b"-")[0]) if found else None
        return None if at is None else max(0.0, now - at / 1000)
