"""What stops all lanes: a hold of everything, an outage, or the brake of all."""

from dataclasses import dataclass
from typing import Any

from lanes.storage.stored import JsonMixin, StoredHash


@dataclass(frozen=True, slots=True)
class Outage(JsonMixin):
    """An outage of the API. Times in seconds; `since` since the epoch.

    `next_probe_in` is 0 when a probe may go out, or is out. `half_open_limit` tells how many requests may be out at a time: more
    than 1 once probes are answered.
    """

    since: float
    next_probe_in: float
    half_open_limit: int


@dataclass(frozen=True, slots=True)
class AllBrake(JsonMixin):
    """All lanes are on the brake: several were refused with the same `status`, and nothing was delivered anywhere.

    Times in seconds; `since` since the epoch. `next_probe_in` is 0 when a probe may go out, or is out.
    """

    since: float
    next_probe_in: float
    status: int


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
        found = StoredHash(fields)
        outage = brake = None
        since = found.time("outage_since") or 0.0
        next_probe_in = max(0.0, (found.time("probe_at") or 0.0) - now)
        if "cause" in found:
            brake = AllBrake(since, next_probe_in, found.count("status"))
        elif "outage_since" in found:
            outage = Outage(since, next_probe_in, found.number("half_open_limit") or 1)
        if "hold" not in found:
            return cls(outage=outage, brake=brake)
        return cls(found.text("hold"), found.text("held_by") or "", found.time("held_at") or 0.0, outage, brake)

    def hold_as_json(self) -> dict[str, Any] | None:
        """Return the hold of everything as plain values, None when there is none."""
        return None if self.hold is None else {"reason": self.hold, "by": self.held_by, "at": self.held_at}
