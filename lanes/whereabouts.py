"""Where a job stands, and what it waits for, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lanes.job import MICROSECONDS, State
from lanes.lane import hold_text


class Place(StrEnum):
    """Where a pending job waits."""

    READY = "ready"
    LATER = "later"
    BEHIND = "behind"


class Cause(StrEnum):
    """What keeps a job from being sent."""

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


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that a job waits for: the words go on after "waits", then comes the job that is meant, if any.

    `until` is when it ends by itself, in seconds since the epoch; None when that is not known, or a person has to act.
    """

    cause: Cause
    words: str
    until: float | None = None
    job_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"cause": self.cause.value, "words": self.words, "until": self.until, "job_id": self.job_id}


@dataclass(frozen=True, slots=True)
class Stop:
    """What stops a lane, or all of them. Times in seconds since the epoch; `room` is that of an outage.

    `paused_until` is the later of its own pause and that of a 429. `brake_probe_at` is None unless the lane is on the
    brake: `refusals` in a row, the last with the status `refused_status`. `all_braked` is the status for which all
    lanes are; `outage_since` is that of the brake then.
    """

    all_hold: str | None = None
    all_held_by: str | None = None
    hold: str | None = None
    held_by: str | None = None
    unauthorized: str | None = None
    outage_since: float | None = None
    room: int = 1
    probe_at: float | None = None
    paused_until: float | None = None
    blocked_until: float | None = None
    failing: int = 0
    brake_probe_at: float | None = None
    refusals: int = 0
    refused_status: int = 0
    all_braked: int | None = None


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a job stood at the time `now`. Times in seconds since the epoch, None where there is none.

    `id` is that of the carrier, when the job was merged. `place`, `ahead` (jobs before it in its lane, or in its record
    when it stands behind others) and `expires_at` (with the time for which it was held) are of pending jobs; `until` is
    the end of its backoff, its not-before or its lease. `head` is the first job of its record, when that is another.
    """

    now: float
    id: str
    state: State
    location_id: str
    place: Place | None = None
    ahead: int = 0
    until: float | None = None
    not_before: float | None = None
    expires_at: float | None = None
    head: str | None = None
    head_until: float | None = None
    attempt: int | None = None
    worker: str | None = None
    replayed: bool = False
    stop: Stop = Stop()

    @classmethod
    def parse(cls, reply: Sequence[bytes]) -> "Whereabouts | None":
        """Read the reply of `whereabouts.lua`; None for a job that is not there."""
        if not reply:
            return None
        texts = {name.decode(): value.decode() for name, value in zip(reply[::2], reply[1::2], strict=True)}

        def time(name: str) -> float | None:
            return float(texts[name]) / MICROSECONDS if name in texts else None

        def number(name: str) -> int | None:
            return int(texts[name]) if name in texts else None

        stop = Stop(
            all_hold=texts.get("all_hold"),
            all_held_by=texts.get("all_held_by"),
            hold=texts.get("hold"),
            held_by=texts.get("held_by"),
            unauthorized=texts["unauthorized"].partition(" ")[2] if "unauthorized" in texts else None,
            outage_since=time("outage_since"),
            room=number("room") or 1,
            probe_at=time("probe_at"),
            paused_until=max(time("paused_until") or 0.0, time("throttled_until") or 0.0) or None,
            blocked_until=time("blocked_until"),
            failing=(number("run_failures") or 0) if "gap" in texts else 0,
            brake_probe_at=time("brake_probe_at") if "brake_at" in texts else None,
            refusals=number("refused_run") or 0,
            refused_status=number("refused_status") or 0,
            all_braked=(number("status") or 0) if "cause" in texts else None,
        )
        return cls(
            now=time("now") or 0.0,
            id=texts["id"],
            state=State(texts["state"]),
            location_id=texts["location"],
            place=Place(texts["place"]) if "place" in texts else None,
            ahead=number("ahead") or 0,
            until=time("until"),
            not_before=time("not_before"),
            expires_at=time("expires_at"),
            head=texts.get("head"),
            head_until=time("head_until"),
            attempt=number("attempt"),
            worker=texts.get("worker"),
            replayed="born" in texts,
            stop=stop,
        )

    def waits(self) -> tuple[Wait, ...]:
        """Return all that the job waits for, what stops most first; nothing when it is done with."""
        if self.state is State.IN_FLIGHT:
            words = f"for the answer to attempt {self.attempt}, sent by {self.worker}; taken back if there is none"
            return (Wait(Cause.ANSWER, words, self.until),)
        if self.state is not State.PENDING:
            return ()
        found = [*self._stops(), *self._own()]
        if not found or self.place is Place.READY:
            found.append(Wait(Cause.TURN, self._turn()))
        return tuple(found)

    def _stops(self) -> Iterator[Wait]:
        """Yield what stops its lane."""
        stop = self.stop
        if stop.all_hold is not None:
            yield Wait(Cause.ALL_HELD, f"because everything is held by {stop.all_held_by}: {stop.all_hold}")
        if stop.all_braked is not None:
            words = (
                "because all lanes are on the brake: several were refused with status "
                f"{stop.all_braked}, and nothing was delivered; the next probe goes out"
            )
            yield Wait(Cause.ALL_BRAKED, words, self._ahead(stop.probe_at))
        elif stop.outage_since is not None and stop.room == 1:
            yield Wait(
                Cause.OUTAGE, "because of an outage of the API; the next probe goes out", self._ahead(stop.probe_at)
            )
        elif stop.outage_since is not None:
            yield Wait(Cause.OUTAGE, f"because of an outage of the API that ends: {stop.room} requests at a time")
        if stop.hold is not None:
            text = hold_text(stop.held_by, stop.hold, stop.unauthorized)
            yield Wait(Cause.LANE_HELD, f"because its lane is held by {text}")
        if stop.brake_probe_at is not None:
            words = (
                f"because its lane is on the brake after {stop.refusals} refusals in a row, the last with status "
                f"{stop.refused_status}; the next probe goes out"
            )
            yield Wait(Cause.LANE_BRAKED, words, self._ahead(stop.brake_probe_at))
        if stop.failing:
            words = f"because its lane failed {stop.failing} times in a row and sends single probes; the next goes out"
            yield Wait(Cause.FAILING, words, self._ahead(stop.paused_until))
        elif until := self._ahead(stop.paused_until):
            yield Wait(Cause.PAUSED, "because its lane pauses (the API said so, or its token is being renewed)", until)
        if until := self._ahead(stop.blocked_until):
            yield Wait(Cause.BUDGET, "for the budget of its location, which is used up", until)

    def _own(self) -> Iterator[Wait]:
        """Yield what keeps this job, whatever its lane may do."""
        if self.place is Place.BEHIND:
            jobs = "an older job" if self.ahead == 1 else f"{self.ahead} older jobs"
            yield Wait(
                Cause.RECORD, f"behind {jobs} of its record, first of all", self._ahead(self.head_until), self.head
            )
        elif self.place is Place.LATER and (until := self._ahead(self.until)):
            if self.not_before == self.until:
                yield Wait(Cause.NOT_BEFORE, "because it is not to be sent earlier", until)
            else:
                yield Wait(Cause.BACKOFF, "for its backoff to end", until)

    def _turn(self) -> str:
        if self.place is Place.READY and self.ahead:
            return f"for its turn: {self.ahead} {'job goes' if self.ahead == 1 else 'jobs go'} before it in its lane"
        return "for a free worker: it goes next in its lane"

    def _ahead(self, at: float | None) -> float | None:
        """Return a time that is still to come."""
        return at if at is not None and at > self.now else None
