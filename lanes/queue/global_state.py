"""What stops all lanes: the global hold, an outage, or the brake of all lanes."""

from dataclasses import dataclass
from typing import Any

from lanes.storage.stored import JsonMixin, Note, StoredHash, ignore


@dataclass(frozen=True, slots=True)
class Outage(JsonMixin):
    """An outage of the API. Times in seconds; `since` since the epoch.

    `next_probe_in` is 0 if a probe may be sent, or is in flight. `half_open_limit` requests may be in flight at a time:
    more than 1 once probes are answered.
    """

    since: float
    next_probe_in: float
    half_open_limit: int


@dataclass(frozen=True, slots=True)
class AllBrake(JsonMixin):
    """The brake of all lanes: several lanes were refused with the same `status`, and nothing was delivered anywhere.

    Times as in `Outage`.
    """

    since: float
    next_probe_in: float
    status: int


@dataclass(frozen=True, slots=True)
class GlobalState:
    """`hold`, `held_by` and `held_at` (seconds since the epoch) are None unless all lanes are held.

    `outage` and `brake` exclude each other.
    """

    hold: str | None = None
    held_by: str | None = None
    held_at: float | None = None
    outage: Outage | None = None
    brake: AllBrake | None = None

    @classmethod
    def parse(cls, fields: dict[bytes, bytes], now: float, note: Note = ignore) -> "GlobalState":
        """Read it from its hash."""
        found = StoredHash(fields, "global_state", note)
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
        """Return the global hold as plain values, or None."""
        return None if self.hold is None else {"reason": self.hold, "by": self.held_by, "at": self.held_at}
