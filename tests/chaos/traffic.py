"""What the producers of a run enqueue: the same seed, the same rows. Pure.

Every row writes its own `uid` as the opportunity's name, and as its value `n`, which only grows within a record: in the
order of acceptance, or, where rows bring event times, in that of the events. So whoever sees the requests can tell
which job each of them was, and whether an older word came after a newer one.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

LOCATIONS = tuple(f"loc-{number}" for number in range(6))
PIPELINE, UNKNOWN_PIPELINE = "pipe", "nowhere"
CONTACTS = 8  # of each kind, producer and location
BATCH = 10
FIRST_EVENT = datetime(2026, 1, 1, tzinfo=UTC)


class RecordKind(StrEnum):
    """What a record's rows are like; each record has one kind."""

    PLAIN = "plain"
    MERGED = "merged"
    TIMED = "timed"  # with event times, some of them late
    TIMED_MERGED = "timed-merged"
    REFUSED = "refused"  # by the API, with a 400
    EXPIRING = "expiring"
    CANCELLED = "cancelled"


WITH_EVENT_TIMES = (RecordKind.TIMED, RecordKind.TIMED_MERGED)
WEIGHTS = {
    RecordKind.PLAIN: 60,
    RecordKind.MERGED: 15,
    RecordKind.TIMED: 10,
    RecordKind.TIMED_MERGED: 9,
    RecordKind.REFUSED: 2,
    RecordKind.EXPIRING: 2,
    RecordKind.CANCELLED: 2,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One upsert to enqueue. `expires_after`: seconds after which it expires, None for never."""

    uid: str
    kind: RecordKind
    location: str
    contact: str
    n: int
    priority: int = 0
    expires_after: float | None = None

    @property
    def body(self) -> dict[str, Any]:
        """What is sent."""
        pipeline = UNKNOWN_PIPELINE if self.kind is RecordKind.REFUSED else PIPELINE
        return {
            "pipelineId": pipeline,
            "locationId": self.location,
            "contactId": self.contact,
            "name": self.uid,
            "monetaryValue": self.n,
        }

    def options(self, now: datetime) -> dict[str, Any]:
        """What is said beside it."""
        options: dict[str, Any] = {"idempotency_key": self.uid, "priority": self.priority}
        if self.kind in (RecordKind.MERGED, RecordKind.TIMED_MERGED):
            options["merge"] = True
        if self.kind in WITH_EVENT_TIMES:
            options["event_time"] = FIRST_EVENT + timedelta(seconds=self.n)
        if self.expires_after is not None:
            options["expires_at"] = now + timedelta(seconds=self.expires_after)
        return options


@dataclass(slots=True)
class EventCounter:
    """The next `n` of a record, and one that is late."""

    next: int = 1
    late: int | None = None


@dataclass(slots=True)
class Traffic:
    """The steps of one producer, without end: one row each, or a batch of rows of different records.

    Args:
        seed: that of the run.
        producer: its name; no other writes its records.
    """

    seed: int
    producer: str
    _counters: dict[tuple[str, str], EventCounter] = field(default_factory=dict)

    def steps(self) -> Iterator[list[Row]]:
        """Yield what is enqueued together."""
        chance = random.Random(f"{self.seed}/{self.producer}")
        number = 0
        while True:
            size = BATCH if chance.random() < 0.04 else 1
            rows: dict[tuple[str, str], Row] = {}
            while len(rows) < size:
                row = self._row(f"{self.producer}-{number}", chance, taken=rows)
                if row is not None:
                    rows[row.location, row.contact] = row
                    number += 1
            yield list(rows.values())

    def _row(self, uid: str, chance: random.Random, taken: dict[tuple[str, str], Row]) -> Row | None:
        kind = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        location = chance.choice(LOCATIONS)
        once = kind in (RecordKind.EXPIRING, RecordKind.CANCELLED)
        contact = f"{self.producer}-{kind}-{uid if once else chance.randrange(CONTACTS)}"
        if (location, contact) in taken:
            return None
        n = self._next_of(location, contact, chance, shuffled=kind in WITH_EVENT_TIMES)
        priority = chance.randrange(10) if chance.random() < 0.2 else 0
        expires_after = chance.uniform(0.2, 3) if kind is RecordKind.EXPIRING else None
        return Row(uid, kind, location, contact, n, priority, expires_after)

    def _next_of(self, location: str, contact: str, chance: random.Random, *, shuffled: bool) -> int:
        counter = self._counters.setdefault((location, contact), EventCounter())
        if counter.late is not None:
            n, counter.late = counter.late, None
            return n
        if shuffled and chance.random() < 0.3:
            counter.late = counter.next
            counter.next += 1
        counter.next += 1
        return counter.next - 1
