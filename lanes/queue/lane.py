"""State of a lane."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from lanes.queue.job import State
from lanes.rate_limits import DEFAULT_BURST, DEFAULT_DAILY, RateLimit, limit_in_force
from lanes.storage.stored import MICROSECONDS, JsonMixin, Note, StoredHash, ignore, names_of

COUNTS = ("accepted", *(state.value for state in State), "retried", "throttled", "reclaimed")
_COUNTS, _ZEROS = names_of(*COUNTS), dict.fromkeys(COUNTS, 0)
_NUMBERS = names_of(
    "released", "unsent", "day_base", "burst", "daily", "weight", "run_failures", "api_burst", "api_daily"
)


def read_counts(fields: Mapping[bytes, bytes], key: str = "counts", note: Note = ignore) -> dict[str, int]:
    """Return every count, 0 if missing or unreadable."""
    return _ZEROS | StoredHash(fields, key, note).numbers(_COUNTS)


class HoldCause(StrEnum):
    """Why a lane is held: by a person, or because the API refused its credential; or both."""

    OPERATOR = "operator"
    AUTHORIZATION = "authorization"


class WaitReason(StrEnum):
    """What keeps a job, or a lane, from being sent."""

    ALL_HELD = "all_held"
    OUTAGE = "outage"
    ALL_BRAKED = "all_braked"
    LANE_HELD = "lane_held"
    LANE_BRAKED = "lane_braked"
    RECORD = "record"
    NOT_BEFORE = "not_before"
    BACKOFF = "backoff"
    FAILING = "failing"
    PAUSED = "paused"
    BUDGET = "budget"
    TURN = "turn"
    ANSWER = "answer"


def hold_text(held_by: str | None, hold: str | None, unauthorized: str | None) -> str:
    """Return each cause of a hold with its reason; empty if the lane is not held."""
    if hold is None:
        return ""
    beside = unauthorized is not None and held_by != HoldCause.AUTHORIZATION
    return f"{held_by}: {hold}" + (f"; {HoldCause.AUTHORIZATION}: {unauthorized}" if beside else "")


@dataclass(frozen=True, slots=True)
class Brake(JsonMixin):
    """The brake of a lane: its requests were refused in a row, and it sends single probes.

    Times in seconds; `since` since the epoch. `next_probe_in` is 0 if a probe may be sent, or is in flight. `refusals`
    in a row without a delivery; `status` is that of the last.
    """

    since: float
    next_probe_in: float
    refusals: int
    status: int

    @property
    def text(self) -> str:
        """What closed it, as text."""
        return f"{self.refusals} refusal{'s' * (self.refusals != 1)} in a row, the last with status {self.status}"


class Lane(NamedTuple):
    """State of a location's lane. Times in seconds; `due_in` is None if nothing will be released automatically.

    If something stops all lanes, `due_in` is None, and `waits_for` is the reason if the lane would be due otherwise.
    `window_used` and `day_used` count requests in the server's window and day, including those of others.
    `failing` counts API failures in a row if they limit the lane to single probes, else 0. `burst`, `daily` and
    `weight` are None unless set for the location. `oldest` is for how long the oldest job that could be sent has
    waited, or None. `held_at` is the time of the hold, seconds since the epoch; it identifies the hold.
    `hold` and `held_by` are a person's if one holds the lane, else those of authorization; `unauthorized` is why the
    credential was refused, if that is a cause of the hold. A lane may be on the `brake` and held. `api_burst` and
    `api_daily` are the limits in the API's headers, None until known.
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
    waits_for: WaitReason | None = None

    @property
    def hold_causes(self) -> tuple[HoldCause, ...]:
        """The causes of its hold; empty if it is not held."""
        if self.hold is None:
            return ()
        by_person = self.held_by != HoldCause.AUTHORIZATION
        refused = self.unauthorized is not None or not by_person
        return (HoldCause.OPERATOR,) * by_person + (HoldCause.AUTHORIZATION,) * refused

    @property
    def hold_text(self) -> str:
        """Each cause of its hold with its reason; empty if it is not held."""
        return hold_text(self.held_by, self.hold, self.unauthorized)

    @classmethod
    def parse(cls, location_id: str, reply: Sequence[Any], note: Note = ignore) -> "Lane":
        """Read a lane from the reply of `read_lanes.lua`; `note` is told what cannot be read."""
        stored, slots, due, oldest, probe, waits_for = reply
        fields = StoredHash(stored, f"lane:{location_id}", note)
        number = fields.numbers(_NUMBERS).get
        hold, refused = fields.text("hold"), fields.text("unauthorized")
        brake = None
        if probe != b"":
            since = fields.time("brake_at") or 0.0
            brake = Brake(since, probe / MICROSECONDS, fields.count("refused_run"), fields.count("refused_status"))
        return cls(
            location_id=location_id,
            counts=_ZEROS | fields.numbers(_COUNTS),
            hold=hold,
            held_by=fields.text("held_by"),
            due_in=None if due == b"" else due / MICROSECONDS,
            day_used=number("released", 0) - number("unsent", 0) - number("day_base", 0),
            window_used=slots,
            burst=number("burst"),
            daily=number("daily"),
            weight=number("weight"),
            failing=number("run_failures", 0) if "gap" in fields else 0,
            oldest=None if oldest == b"" else oldest / MICROSECONDS,
            held_at=None if hold is None else fields.time("held_at") or 0.0,
            unauthorized=None if hold is None or refused is None else refused.partition(" ")[2],
            brake=brake,
            api_burst=number("api_burst"),
            api_daily=number("api_daily"),
            waits_for=WaitReason(waits_for.decode()) if waits_for else None,
        )

    def burst_in_force(self, cap: int | None) -> RateLimit:
        """Return the limit of the rate window and its source; `cap` is that of the settings."""
        return limit_in_force(cap if self.burst is None else self.burst, self.api_burst, DEFAULT_BURST)

    def daily_in_force(self, cap: int | None) -> RateLimit:
        """Return the limit of the day and its source; `cap` is that of the settings."""
        return limit_in_force(cap if self.daily is None else self.daily, self.api_daily, DEFAULT_DAILY)

    def as_json(self) -> dict[str, Any]:
        """Return the lane as plain values."""
        plain = self._asdict()
        plain |= plain.pop("counts")
        plain["hold_causes"] = [cause.value for cause in self.hold_causes]
        if self.brake is not None:
            plain["brake"] = self.brake.as_json()
        return plain
