"""What the checks judge a run by. Times are monotonic seconds, the same for all processes of a machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lanes.queue.job import State
from tests.chaos.journal import AcceptedJob

Record = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that reached the API. `applied`: the upsert took effect, whatever the answer was."""

    uid: str
    n: int
    record: Record
    at: float
    status: int | None
    fault: str | None = None
    applied: bool = True
    rate_limited: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether a 2xx was sent."""
        return self.status is not None and 200 <= self.status < 300

    @classmethod
    def of(cls, seen: Mapping[str, Any]) -> "Arrival":
        """Read the sandbox's entry of a request."""
        body = seen["body"]
        return cls(
            body.get("name", ""),
            int(body.get("monetaryValue", 0)),
            (seen["location_id"], seen["pipeline_id"], seen["contact_id"]),
            seen["arrived_at"],
            seen["status"],
            seen["fault"],
            seen["applied"] is not None,
            seen["rate_limited"],
        )


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that was in force, and how many repeated requests it may cause.

    `repeats`: how many requests it may repeat; None for any number. `emptied_at`:
    when Redis was up again with nothing, where the fault was that.
    """

    name: str
    began_at: float
    ended_at: float
    repeats: int | None = 0
    emptied_at: float | None = None


@dataclass(frozen=True, slots=True)
class NotTried:
    """A fault that could not be injected, and why: it proves nothing about the system."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known about a finished run.

    `stored`: the state of each existing job, and of each that was forgotten; `gone`: the state of each job right before
    Redis was emptied. `forgotten`: how many done jobs gave way to new ones. An event that is older than a forgotten
    job's is sent without the fields that are newer. `told`: the last state of each job that its service was told of,
    None if outcomes were removed.
    """

    accepted_jobs: Sequence[AcceptedJob]
    stored: Mapping[str, State]
    merge_targets: Mapping[str, str]
    counts: Mapping[str, int]
    arrivals: Sequence[Arrival]
    injected: Sequence[Injected]
    limit: int
    window: float
    lease: float
    unexpected: Sequence[str] = ()
    findings: Sequence[str] = ()
    gone: Mapping[str, State] = field(default_factory=dict)
    forgotten: int = 0
    told: Mapping[str, State] | None = None

    @property
    def ends(self) -> dict[str, State]:
        """The final state of each job, also of those before Redis was emptied."""
        return {**{job_id: state for job_id, state in self.gone.items() if state.final}, **self.stored}

    @property
    def emptied(self) -> list[float]:
        """When Redis was up again with nothing, each time."""
        return sorted(one.emptied_at for one in self.injected if one.emptied_at is not None)
