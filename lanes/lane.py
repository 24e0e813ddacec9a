"""A lane in numbers, and the counts of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lanes.job import MICROSECONDS, State

COUNTS = ("accepted", *(state.value for state in State), "retried", "throttled", "reclaimed")


def read_counts(fields: dict[bytes, bytes]) -> dict[str, int]:
    """Return every count, 0 where nothing was counted yet."""
    return {name: int(fields.get(name.encode(), 0)) for name in COUNTS}


@dataclass(frozen=True, slots=True)
class Brake:
    """A lane is on the brake: its requests were refused one after the other, and it sends single probes.

    Times in seconds; `since` since the epoch. `next_probe_in` is 0 when a probe may go out, or is out. `refusals` in a
    row without a delivery; `status` is that of the last of them.
    """

    since: float
    next_probe_in: float
    refusals: int
    status: int

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: getattr(self, name) for name in ("since", "next_probe_in", "refusals", "status")}


@dataclass(frozen=True, slots=True)
class Lane:
    """A location's lane in numbers. Times in seconds; `due_in` is None when nothing will be released by itself.

    `window_used` counts requests that the server may still have in its window, those of others too; `day_used` those of
    its day. `failing` counts requests that failed in a row by the API's fault, once they are so many that the lane
    sends single probes, else 0. `burst`, `daily` and `weight` are None unless they were set for the location.
    `oldest` is for how long the oldest of its jobs has been waiting that could have been sent by now, None when there
    is none; `held_at` is since when the lane is held, seconds since the epoch. A lane may be on the `brake` and held.
    """

    location_id: str
    counts: dict[str, int]
    hold: str | None
    held_by: str | None
    due_in: float | None
    day_used: int
    window_used: int
    burst: int | None = None
    daily: int | None = None
    weight: int | None = None
    failing: int = 0
    oldest: float | None = None
    held_at: float | None = None
    brake: Brake | None = None

    @classmethod
    def parse(cls, location_id: str, reply: Sequence[Any]) -> "Lane":
        """Read a lane from the reply of `read_lanes.lua`."""
        stored, slots, due, oldest, probe = reply
        fields: dict[bytes, bytes] = dict(zip(stored[::2], stored[1::2], strict=True))
        hold, by = fields.get(b"hold"), fields.get(b"held_by")

        def own(name: bytes) -> int | None:
            return int(fields[name]) if name in fields else None

        brake = None
        if probe != b"":
            refusals, status = (int(fields.get(name, 0)) for name in (b"refused_run", b"refused_status"))
            brake = Brake(int(fields[b"brake_at"]) / MICROSECONDS, probe / MICROSECONDS, refusals, status)
        return cls(
            location_id=location_id,
            counts=read_counts(fields),
            hold=None if hold is None else hold.decode(),
            held_by=None if by is None else by.decode(),
            due_in=None if due == b"" else due / MICROSECONDS,
            day_used=int(fields.get(b"released", 0)) - int(fields.get(b"day_base", 0)),
            window_used=slots,
            burst=own(b"burst"),
            daily=own(b"daily"),
            weight=own(b"weight"),
            failing=int(fields.get(b"run_failures", 0)) if b"gap" in fields else 0,
            oldest=None if oldest == b"" else oldest / MICROSECONDS,
            held_at=int(fields[b"held_at"]) / MICROSECONDS if b"held_at" in fields and hold is not None else None,
            brake=brake,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the lane as plain values."""
        return {
            "location_id": self.location_id,
            **self.counts,
            "hold": self.hold,
            "brake": None if self.brake is None else self.brake.as_json(),
            "held_by": self.held_by,
            "due_in": self.due_in,
            "day_used": self.day_used,
            "window_used": self.window_used,
            "burst": self.burst,
            "daily": self.daily,
            "weight": self.weight,
            "failing": self.failing,
            "oldest": self.oldest,
            "held_at": self.held_at,
        }
