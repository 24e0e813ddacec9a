"""A lane in numbers, and the counts of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lanes.queue.job import State
from lanes.rate_limits import DEFAULT_BURST, DEFAULT_DAILY, RateLimit, limit_in_force
from lanes.storage.stored import MICROSECONDS, JsonMixin, StoredHash, as_plain

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
class Brake(JsonMixin):
    """A lane is on the brake: its requests were refused one after the other, and it sends single probes.

    Times in seconds; `since` since the epoch. `next_probe_in` is 0 when a probe may go out, or is out. `refusals` in a
    row without a delivery; `status` is that of the last of them.
    """

    since: float
    next_probe_in: float
    refusals: int
    status: int

    @property
    def text(self) -> str:
        """What closed it, in words."""
        return f"{self.refusals} refusal{'s' * (self.refusals != 1)} in a row, the last with status {self.status}"


@dataclass(frozen=True, slots=True)
class Lane:
    """A location's lane in numbers. Times in seconds; `due_in` is None when nothing will be released by itself.

    `window_used` counts requests that the server may still have in its window, those of others too; `day_used` those of
    its day. `failing` counts requests that failed in a row by the API's fault, once they are so many that the lane
    sends single probes, else 0. `burst`, `daily` and `weight` are None unless they were set for the location.
    `oldest` is for how long the oldest of its jobs has been waiting that could have been sent by now, None when there
    is none; `held_at` is since when the lane is held, seconds since the epoch; it identifies the hold when it is ended.
    `hold` and `held_by` are a person's, where one holds the lane, else those of authorization; `unauthorized` is why
    the location's credential was refused, while that is a cause of the hold. A lane may be on the `brake` and held.
    `api_burst` and `api_daily` are the limits that the API said it applies, None until it did.
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
    brake: Brake | None = None
    api_burst: int | None = None
    api_daily: int | None = None

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
        stored, slots, due, oldest, probe = reply
        fields = StoredHash(stored)
        hold, refused = fields.text("hold"), fields.text("unauthorized")
        brake = None
        if probe != b"":
            since = fields.time("brake_at") or 0.0
            brake = Brake(since, probe / MICROSECONDS, fields.count("refused_run"), fields.count("refused_status"))
        return cls(
            location_id=location_id,
            counts={name: fields.count(name) for name in COUNTS},
            hold=hold,
            held_by=fields.text("held_by"),
            due_in=None if due == b"" else due / MICROSECONDS,
            day_used=fields.count("released") - fields.count("unsent") - fields.count("day_base"),
            window_used=slots,
            burst=fields.number("burst"),
            daily=fields.number("daily"),
            weight=fields.number("weight"),
            failing=fields.count("run_failures") if "gap" in fields else 0,
            oldest=None if oldest == b"" else oldest / MICROSECONDS,
            held_at=None if hold is None else fields.time("held_at") or 0.0,
            unauthorized=None if hold is None or refused is None else refused.partition(" ")[2],
            brake=brake,
            api_burst=fields.number("api_burst"),
            api_daily=fields.number("api_daily"),
        )

    def burst_in_force(self, cap: int | None) -> RateLimit:
        """Return how many requests a window takes, and who says so; `cap` is that of the settings."""
        return limit_in_force(cap if self.burst is None else self.burst, self.api_burst, DEFAULT_BURST)

    def daily_in_force(self, cap: int | None) -> RateLimit:
        """Return how many requests a day takes, and who says so; `cap` is that of the settings."""
        return limit_in_force(cap if self.daily is None else self.daily, self.api_daily, DEFAULT_DAILY)

    def as_json(self) -> dict[str, Any]:
        """Return the lane as plain values."""
        return {
            **as_plain(self, "counts"),
            **self.counts,
            "hold_causes": [cause.value for cause in self.hold_causes],
            "brake": None if self.brake is None else self.brake.as_json(),
        }
