"""Where a job is in its lane, and what it waits for."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from lanes.queue.job import State
from lanes.queue.lane import WaitReason, hold_text
from lanes.storage.stored import JsonMixin, Note, StoredHash, ignore


class PendingState(StrEnum):
    """Where a pending job waits."""

    READY = "ready"
    DELAYED = "delayed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Blocker(JsonMixin):
    """A reason why a job waits: `words` follow "waits", and the job `job_id` follows them.

    `until` is when it ends automatically, in seconds since the epoch; None if unknown, or if a person has to act.
    """

    cause: WaitReason
    words: str
    until: float | None = None
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """Where a job was at the time `now`. Times in seconds since the epoch, None if not set.

    `id` is that of the merge target if the job was merged. `ahead` counts jobs before it in its lane, or in its record
    if it is blocked. `expires_at` includes the time for which it was held. `until` is the end of its backoff, its
    not-before or its lease. `active_job` is the active job of its record if it is blocked. `stored` also has what stops
    its lane, or all lanes.
    """

    now: float
    id: str
    state: State
    location_id: str
    stored: StoredHash
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

    @classmethod
    def parse(cls, reply: list[bytes], note: Note = ignore) -> "QueuePosition | None":
        """Read the reply of `queue_position.lua`; None for an unknown job, or if its state cannot be read."""
        found = StoredHash(reply, "queue position", note)
        if (state := State.read(found.text("state"))) is None:
            return None
        pending_state = found.text("pending_state")
        return cls(
            now=found.time("now") or 0.0,
            id=found.text("id") or "",
            state=state,
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
            stored=found,
        )

    def blockers(self) -> tuple[Blocker, ...]:
        """Return all that the job waits for, the widest cause first; nothing once it is done."""
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
        stored = self.stored
        if (all_hold := stored.text("all_hold")) is not None:
            words = f"because all lanes are held by {stored.text('all_held_by')}: {all_hold}"
            yield Blocker(WaitReason.ALL_HELD, words)
        probe_at, limit = self._if_ahead(stored.time("probe_at")), stored.number("half_open_limit") or 1
        if "cause" in stored:
            words = (
                f"because all lanes are on the brake: several were refused with status {stored.count('status')}, and "
                "nothing was delivered; the next probe goes out"
            )
            yield Blocker(WaitReason.ALL_BRAKED, words, probe_at)
        elif "outage_since" in stored and limit == 1:
            yield Blocker(WaitReason.OUTAGE, "because of an outage of the API; the next probe goes out", probe_at)
        elif "outage_since" in stored:
            words = f"because of an outage of the API that ends: {limit} requests at a time"
            yield Blocker(WaitReason.OUTAGE, words)
        if (hold := stored.text("hold")) is not None:
            refused = stored.text("unauthorized")
            text = hold_text(stored.text("held_by"), hold, None if refused is None else refused.partition(" ")[2])
            yield Blocker(WaitReason.LANE_HELD, f"because its lane is held by {text}")
        if "brake_at" in stored and "brake_probe_at" in stored:
            words = (
                f"because its lane is on the brake after {stored.count('refused_run')} refusals in a row, the last "
                f"with status {stored.count('refused_status')}; the next probe goes out"
            )
            yield Blocker(WaitReason.LANE_BRAKED, words, self._if_ahead(stored.time("brake_probe_at")))
        paused_until = self._if_ahead(max(stored.time(name) or 0.0 for name in ("backoff_until", "throttled_until")))
        if "gap" in stored and (failing := stored.count("run_failures")):
            words = f"because its lane failed {failing} times in a row and sends single probes; the next goes out"
            yield Blocker(WaitReason.FAILING, words, paused_until)
        elif paused_until:
            words = "because its lane is paused (by a 429, or while its token is renewed)"
            yield Blocker(WaitReason.PAUSED, words, paused_until)
        if until := self._if_ahead(stored.time("rate_limited_until")):
            yield Blocker(WaitReason.BUDGET, "for the rate limit of its location, which is used up", until)

    def _own_blockers(self) -> Iterator[Blocker]:
        """Yield what stops this job, in any lane."""
        if self.pending_state is PendingState.BLOCKED:
            jobs = "an older job" if self.ahead == 1 else f"{self.ahead} older jobs"
            words = f"for {jobs} of its record, beginning with"
            yield Blocker(WaitReason.RECORD, words, self._if_ahead(self.active_until), self.active_job)
        elif self.pending_state is PendingState.DELAYED and (until := self._if_ahead(self.until)):
            if self.not_before == self.until:
                yield Blocker(WaitReason.NOT_BEFORE, "because it must not be sent earlier", until)
            else:
                yield Blocker(WaitReason.BACKOFF, "for its backoff to end", until)

    def _turn(self) -> str:
        if self.pending_state is PendingState.READY and self.ahead:
            return f"for {self.ahead} job{'s' * (self.ahead != 1)} before it in its lane"
        return "for a free worker: it is next in its lane"

    def _if_ahead(self, at: float | None) -> float | None:
        """Return a time if it is in the future."""
        return at if at is not None and at > self.now else None
