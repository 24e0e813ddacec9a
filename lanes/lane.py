"""A lane in numbers, and the counts of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lanes.job import MICROSECONDS, State

COUNTS = ("accepted", *(state.value for state in State), "retried", "throttled", "reclaimed")


def read_counts(fields: dict[bytes, bytes]) -> dict[str, int]:
    """Return every count, 0 where nothing was counted yet."""
    return {name: int(fields.get(name.encode(), 0)) for name in COUNTS}


class HoldCause(StrEnum):
    """Who holds a lane: a person, or the API's refusal of its credential; or both."""

    OPERATOR = "operator"
    AUTHORIZATION = "authorization"


def hold_text(held_by: str | None, hold: str | None, unauthorized: str | None) -> str:
    """Return who holds a lane and why, each cause with its reason; empty when it is not held."""
    if hold is None:
        return ""
    beside = unauthorized is not None and held_by != HoldCause.AUTHORIZATION
    return f"{held_by}: {hold}" + (f"; {HoldCause.AUTHORIZATION}: {unauthorized}" if beside else "")


@dataclass(frozen=True, slots=True)
class Lane:
    """A location's lane in numbers. Times in seconds; `due_in` is None when nothing will be released by itself.

    `window_used` counts requests that the server may still have in its window, those of others too; `day_used` those of
    its day. `failing` counts requests that failed in a row by the API's fault, once they are so many that the lane
    sends single probes, else 0. `burst`, `daily` and `weight` are None unless they were set for the location.
    `oldest` is for how long the oldest of its jobs has been waiting that could have been sent by now, None when there
    is none; `held_at` is since when the lane is held, seconds since the epoch; it identifies the hold when it is ended.
    `hold` and `held_by` are a person's, where one holds the lane, else those of authorization; `unauthorized` is why
    the location's credential was refused, while that is a cause of the hold.
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
    unauthorized: str | None = None

    @property
    def hold_causes(self) -> tuple[HoldCause, ...]:
        """The causes of its hold; none when it is not held."""
        if self.hold is None:
            return ()
        by_person = self.held_by != HoldCause.AUTHORIZATION
        refused = self.unauthorized is not None or not by_person
        return (HoldCause.OPERATOR,) * by_person + (HoldCause.AUTHORIZATION,) * refused

    @property
    def hold_text(self) -> str:
        """Who holds it and why, each cause with its reason; empty when it is not held."""
        return hold_text(self.held_by, self.hold, self.unauthorized)

    @classmethod
    def parse(cls, location_id: str, reply: Sequence[Any]) -> "Lane":
        """Read a lane from the reply of `read_lanes.lua`."""
        stored, slots, due, oldest = reply
        fields: dict[bytes, bytes] = dict(zip(stored[::2], stored[1::2], strict=True))
        hold, by, refused = (fields.get(name) for name in (b"hold", b"held_by", b"unauthorized"))

        def own(name: bytes) -> int | None:
            return int(fields[name]) if name in fields else None

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
            held_at=None if hold is None else int(fields.get(b"held_at", 0)) / MICROSECONDS,
            unauthorized=None if hold is None or refused is None else refused.decode().partition(" ")[2],
        )

    def as_json(self) -> dict[str, Any]:
        """Return the lane as plain values."""
        return {
            "location_id": self.location_id,
            **self.counts,
            "hold": self.hold,
            "held_by": self.held_by,
            "hold_causes": [cause.value for cause in self.hold_causes],
            "unauthorized": self.unauthorized,
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
