"""What stops all lanes: a hold of everything, or an outage."""

from dataclasses import dataclass
from typing import Any

from lanes.job import MICROSECONDS


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage of the API. Times in seconds; `since` since the epoch.

    `next_probe_in` is 0 when a probe may go out, or is out. `room` tells how many requests may be out at a time: more
    than 1 once probes are answered.
    """

    since: float
    next_probe_in: float
    room: int

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"since": self.since, "next_probe_in": self.next_probe_in, "room": self.room}


@dataclass(frozen=True, slots=True)
class Gate:
    """`hold`, `held_by` and `held_at` (seconds since the epoch) are None unless everything is held."""

    hold: str | None = None
    held_by: str | None = None
    held_at: float | None = None
    outage: Outage | None = None

    @classmethod
    def parse(cls, fields: dict[bytes, bytes], now: float) -> "Gate":
        """Read it from its hash."""

        def time(name: bytes) -> float:
            return float(fields.get(name, 0)) / MICROSECONDS

        outage = None
        if b"outage_since" in fields:
            room = int(fields.get(b"room", 1))
            outage = Outage(time(b"outage_since"), max(0.0, time(b"probe_at") - now), room)
        if b"hold" not in fields:
            return cls(outage=outage)
        return cls(fields[b"hold"].decode(), fields.get(b"held_by", b"").decode(), time(b"held_at"), outage)

    def hold_as_json(self) -> dict[str, Any] | None:
        """Return the hold of everything as plain values, None when there is none."""
        return None if self.hold is None else {"reason": self.hold, "by": self.held_by, "at": self.held_at}
