"""The jobs of a lane as somebody looks at them, and those that were merged into one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lanes.queue.job import MICROSECONDS, State


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job where it stands, without its content. Times in seconds since the epoch, None where there is none.

    `until` is the end of its wait or its lease; `blocked_count` counts the jobs of its record that stand behind it.
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
    def parse(cls, reply: Sequence[Any]) -> "QueuedJob":
        """Read a job of the reply of `lane_jobs.lua`."""
        job_id, until, blocked_count, stored = reply
        fields: dict[str, str] = {
            name.decode(): value.decode() for name, value in zip(stored[::2], stored[1::2], strict=True)
        }

        def time(name: str) -> float | None:
            return float(fields[name]) / MICROSECONDS if name in fields else None

        return cls(
            id=job_id.decode(),
            state=State(fields["state"]),
            accepted_at=time("accepted_at") or 0.0,
            attempt=int(fields.get("attempt", 0)),
            priority=int(fields.get("priority", 0)),
            blocked_count=blocked_count,
            until=until / MICROSECONDS if until else None,
            released_at=time("released_at"),
            ended_at=time("ended_at"),
            worker=fields.get("worker"),
            reason=fields.get("reason"),
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class LaneJobs:
    """A part of the jobs of each place of a lane: the next of those that may be sent, the next of those that wait for a
    time, both heads of their records only; some in flight; and the latest letters, found among the newest of all lanes.
    """

    ready: tuple[QueuedJob, ...]
    ready_total: int
    delayed: tuple[QueuedJob, ...]
    delayed_total: int
    in_flight: tuple[QueuedJob, ...]
    dead_letters: tuple[QueuedJob, ...]

    @classmethod
    def parse(cls, reply: Sequence[Any]) -> "LaneJobs":
        """Read the reply of `lane_jobs.lua`."""
        ready_total, delayed_total, *parts = reply
        ready, delayed, in_flight, dead_letters = (tuple(QueuedJob.parse(job) for job in part) for part in parts)
        return cls(ready, ready_total, delayed, delayed_total, in_flight, dead_letters)


@dataclass(frozen=True, slots=True)
class MergedJobs:
    """How many jobs were merged into one, and the ids of some of them."""

    total: int
    some: tuple[str, ...]
