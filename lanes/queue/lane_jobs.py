"""The jobs of a lane for display, and jobs merged into one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lanes.queue.job import State
from lanes.storage.stored import MICROSECONDS, JsonMixin, Note, StoredHash, ignore, text_of


@dataclass(frozen=True, slots=True)
class QueuedJob(JsonMixin):
    """A job in its lane, without its body. Times in seconds since the epoch, None if not set.

    `until` is the end of its delay or its lease; `blocked_count` is the number of jobs of its record that it blocks.
    """

    id: str
    state: State
    accepted_at: float
    attempt: int
    priority: int
    blocked_count: int
    until: float | None = None
    released_at: float | None = None
    ended_at: float | None = None
    worker: str | None = None
    reason: str | None = None

    @classmethod
    def parse(cls, reply: Sequence[Any], note: Note = ignore) -> "QueuedJob | None":
        """Read a job from the reply of `lane_jobs.lua`; None if its state cannot be read."""
        job_id, until, blocked_count, stored = text_of(reply[0]), *reply[1:]
        fields = StoredHash(stored, f"job:{job_id}", note)
        if (state := State.read(fields.text("state"))) is None:
            note(f"job:{job_id}", "its state cannot be read")
            return None
        return cls(
            id=job_id,
            state=state,
            accepted_at=fields.time("accepted_at") or 0.0,
            attempt=fields.count("attempt"),
            priority=fields.count("priority"),
            blocked_count=blocked_count,
            until=until / MICROSECONDS if until else None,
            released_at=fields.time("released_at"),
            ended_at=fields.time("ended_at"),
            worker=fields.text("worker"),
            reason=fields.text("reason"),
        )


@dataclass(frozen=True, slots=True)
class LaneJobs:
    """A page of the jobs of a lane: ready and delayed ones (active jobs only), some in flight, recent dead letters."""

    ready: tuple[QueuedJob, ...]
    ready_total: int
    delayed: tuple[QueuedJob, ...]
    delayed_total: int
    in_flight: tuple[QueuedJob, ...]
    dead_letters: tuple[QueuedJob, ...]

    @classmethod
    def parse(cls, reply: Sequence[Any], note: Note = ignore) -> "LaneJobs":
        """Read the reply of `lane_jobs.lua`."""
        ready_total, delayed_total, *parts = reply
        ready, delayed, in_flight, dead_letters = (
            tuple(found for job in part if (found := QueuedJob.parse(job, note))) for part in parts
        )
        return cls(ready, ready_total, delayed, delayed_total, in_flight, dead_letters)


@dataclass(frozen=True, slots=True)
class MergedJobs:
    """How many jobs were merged into one, and the ids of some of them."""

    total: int
    some: tuple[str, ...]
