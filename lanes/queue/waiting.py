"""Where a job stands, and what it waits for, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lanes.queue.job import State
from lanes.queue.lane import hold_text
from lanes.storage.stored import JsonMixin, StoredHash


class PendingState(StrEnum):
    """Where a pending job waits."""

    READY = "ready"
    DELAYED = "delayed"
    BLOCKED = "blocked"


class WaitReason(StrEnum):
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
class Blocker(JsonMixin):
    """One thing that a job waits for: the words go on after "waits", then comes the job that is meant, if any.

    `until` is when it ends by itself, in seconds since the epoch; None when that is not known, or a person has to act.
    """

    cause: WaitReason
    words: str
    until: float | None = None
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class LaneBlockers:
    """What stops a lane, or all of them. Times in seconds since the epoch; `half_open_limit` is that of an outage.

    `backoff_until` is the later of its own pause and that of a 429. `brake_probe_at` is None unless the lane is on the
    brake: `refusals` in a row, the last with the status `refused_status`. `all_braked` is the status for which all
    lanes are; `outage_since` is that of the brake then.
    """

    all_hold: str | None = None
    all_held_by: str | None = None
    hold: str | None = None
    held_by: str | None = None
    unauthorized: str | None = None
    outage_since: float | None = None
    half_open_limit: int = 1
    probe_at: float | None = None
    backoff_until: float | None = None
    rate_limited_until: float | None = None
    failing: int = 0
    brake_probe_at: float | None = None
    refusals: int = 0
    refused_status: int = 0
    all_braked: int | None = None


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """Where a job stood at the time `now`. Times in seconds since the epoch, None where there is none.

    `id` is that of the carrier, when the job was merged. `pending_state`, `ahead` (jobs before it in its lane, or in its record
    when it stands behind others) and `expires_at` (with the time for which it was held) are of pending jobs; `until` is
    the end of its backoff, its not-before or its lease. `active_job` is the first job of its record, when that is another.
    """

    now: float
    id: str
    state: State
    location_id: str
    pending_state: PendingState | None = None
    ahead: int = 0
    until: float | None = None
    not_before: float | None = None
    expires_at: float | None = None
    active_job: str | None = None
    active_until: float | None = None
    attempt: int | None = None
    worker: str | None = None
    replayed: bool = False
    lane_blockers: LaneBlockers = LaneBlockers()

    @classmethod
    def parse(cls, reply: Sequence[bytes]) -> "QueuePosition | None":
        """Read the reply of `queue_position.lua`; None for a job that is not there."""
        if not reply:
            return None
        found = StoredHash(reply)
        refused = found.text("unauthorized")
        lane_blockers = LaneBlockers(
            all_hold=found.text("all_hold"),
            all_held_by=found.text("all_held_by"),
            hold=found.text("hold"),
            held_by=found.text("held_by"),
            unauthorized=None if refused is None else refused.partition(" ")[2],
            outage_since=found.time("outage_since"),
            half_open_limit=found.number("half_open_limit") or 1,
            probe_at=found.time("probe_at"),
            backoff_until=max(found.time("backoff_until") or 0.0, found.time("throttled_until") or 0.0) or None,
            rate_limited_until=found.time("rate_limited_until"),
            failing=found.count("run_failures") if "gap" in found else 0,
            brake_probe_at=found.time("brake_probe_at") if "brake_at" in found else None,
            refusals=found.count("refused_run"),
            refused_status=found.count("refused_status"),
            all_braked=found.count("status") if "cause" in found else None,
        )
        pending_state = found.text("pending_state")
        return cls(
            now=found.time("now") or 0.0,
            id=found.text("id") or "",
            state=State(found.text("state") or ""),
            location_id=found.text("location") or "",
            pending_state=PendingState(pending_state) if pending_state else None,
            ahead=found.count("ahead"),
            until=found.time("until"),
            not_before=found.time("not_before"),
            expires_at=found.time("expires_at"),
            active_job=found.text("active_job"),
            active_until=found.time("active_until"),
            attempt=found.number("attempt"),
            worker=found.text("worker"),
            replayed="first_seq" in found,
            lane_blockers=lane_blockers,
        )

    def blockers(self) -> tuple[Blocker, ...]:
        """Return all that the job waits for, what stops most first; nothing when it is done with."""
        if self.state is State.IN_FLIGHT:
            words = f"for the answer to attempt {self.attempt}, sent by {self.worker}; taken back if there is none"
            return (Blocker(WaitReason.ANSWER, words, self.until),)
        if self.state is not State.PENDING:
            return ()
        found = [*self._lane_blockers(), *self._own_blockers()]
        if not found or self.pending_state is PendingState.READY:
            found.append(Blocker(WaitReason.TURN, self._turn()))
        return tuple(found)

    def _lane_blockers(self) -> Iterator[Blocker]:
        """Yield what stops its lane."""
        lane_blockers = self.lane_blockers
        if lane_blockers.all_hold is not None:
            yield Blocker(
                WaitReason.ALL_HELD,
                f"because everything is held by {lane_blockers.all_held_by}: {lane_blockers.all_hold}",
            )
        if lane_blockers.all_braked is not None:
            words = (
                "because all lanes are on the brake: several were refused with status "
                f"{lane_blockers.all_braked}, and nothing was delivered; the next probe goes out"
            )
            yield Blocker(WaitReason.ALL_BRAKED, words, self._if_ahead(lane_blockers.probe_at))
        elif lane_blockers.outage_since is not None and lane_blockers.half_open_limit == 1:
            yield Blocker(
                WaitReason.OUTAGE,
                "because of an outage of the API; the next probe goes out",
                self._if_ahead(lane_blockers.probe_at),
            )
        elif lane_blockers.outage_since is not None:
            yield Blocker(
                WaitReason.OUTAGE,
                f"because of an outage of the API that ends: {lane_blockers.half_open_limit} requests at a time",
            )
        if lane_blockers.hold is not None:
            text = hold_text(lane_blockers.held_by, lane_blockers.hold, lane_blockers.unauthorized)
            yield Blocker(WaitReason.LANE_HELD, f"because its lane is held by {text}")
        if lane_blockers.brake_probe_at is not None:
            words = (
                f"because its lane is on the brake after {lane_blockers.refusals} refusals in a row, the last with status "
                f"{lane_blockers.refused_status}; the next probe goes out"
            )
            yield Blocker(WaitReason.LANE_BRAKED, words, self._if_ahead(lane_blockers.brake_probe_at))
        if lane_blockers.failing:
            words = f"because its lane failed {lane_blockers.failing} times in a row and sends single probes; the next goes out"
            yield Blocker(WaitReason.FAILING, words, self._if_ahead(lane_blockers.backoff_until))
        elif until := self._if_ahead(lane_blockers.backoff_until):
            yield Blocker(
                WaitReason.PAUSED, "because its lane pauses (the API said so, or its token is being renewed)", until
            )
        if until := self._if_ahead(lane_blockers.rate_limited_until):
            yield Blocker(WaitReason.BUDGET, "for the budget of its location, which is used up", until)

    def _own_blockers(self) -> Iterator[Blocker]:
        """Yield what keeps this job, whatever its lane may do."""
        if self.pending_state is PendingState.BLOCKED:
            jobs = "an older job" if self.ahead == 1 else f"{self.ahead} older jobs"
            yield Blocker(
                WaitReason.RECORD,
                f"behind {jobs} of its record, first of all",
                self._if_ahead(self.active_until),
                self.active_job,
            )
        elif self.pending_state is PendingState.DELAYED and (until := self._if_ahead(self.until)):
            if self.not_before == self.until:
                yield Blocker(WaitReason.NOT_BEFORE, "because it is not to be sent earlier", until)
            else:
                yield Blocker(WaitReason.BACKOFF, "for its backoff to end", until)

    def _turn(self) -> str:
        if self.pending_state is PendingState.READY and self.ahead:
            return f"for its turn: {self.ahead} {'job goes' if self.ahead == 1 else 'jobs go'} before it in its lane"
        return "for a free worker: it goes next in its lane"

    def _if_ahead(self, at: float | None) -> float | None:
        """Return a time that is still to come."""
        return at if at is not None and at > self.now else None
