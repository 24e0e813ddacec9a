"""What stops all lanes: a hold of everything, an outage, or the brake of all."""

from dataclasses import dataclass
from typing import Any

from lanes.queue.job import MICROSECONDS


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage of the API. Times in seconds; `since` since the epoch.

    `next_probe_in` is 0 when a probe may go out, or is out. `half_open_limit` tells how many requests may be out at a time: more
    than 1 once probes are answered.
    """

    since: float
    next_probe_in: float
    half_open_limit: int

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"since": self.since, "next_probe_in": self.next_probe_in, "half_open_limit": self.half_open_limit}


@dataclass(frozen=True, slots=True)
class AllBrake:
    """All lanes are on the brake: several were refused with the same `status`, and nothing was delivered anywhere.

    Times in seconds; `since` since the epoch. `next_probe_in` is 0 when a probe may go out, or is out.
    """

    since: float
    next_probe_in: float
    status: int

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"since": self.since, "next_probe_in": self.next_probe_in, "status": self.status}


@dataclass(frozen=True, slots=True)
class GlobalState:
    """`hold`, `held_by` and `held_at` (seconds since the epoch) are None unless everything is held.

    There is never both an `outage` and a `brake` of all.
    """

    hold: str | None = None
    held_by: str | None = None
    held_at: float | None = None
    outage: Outage | None = None
    brake: AllBrake | None = None

    @classmethod
    def parse(cls, fields: dict[bytes, bytes], now: float) -> "GlobalState":
        """Read it from its hash."""

        def time(name: bytes) -> float:
            return float(fields.get(name, 0)) / MICROSECONDS

        outage = brake = None
        next_probe_in = max(0.0, time(b"probe_at") - now)
        if b"cause" in fields:
            brake = AllBrake(time(b"outage_since"), next_probe_in, int(fields.get(b"status", 0)))
        elif b"outage_since" in fields:
            outage = Outage(time(b"outage_since"), next_probe_in, int(fields.get(b"half_open_limit", 1)))
        if b"hold" not in fields:
            return cls(outage=outage, brake=brake)
        return cls(fields[b"hold"].decode(), fields.get(b"held_by", b"").decode(), time(b"held_at"), outage, brake)

    def hold_as_json(self) -> dict[str, Any] | None:
        """Return the hold of everything as plain values, None when there is none."""
        return None if self.hold is None else {"reason": self.hold, "by": self.held_by, "at": self.held_at}
