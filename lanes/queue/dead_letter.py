"""Dead letters to import, and results of actions on dead letters."""

from dataclasses import dataclass

from lanes.queue.job import Attempt, Reason
from lanes.queue.new_job import NewJob


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter to import. Times in seconds since the epoch. Its next outcome has the number `ends` + 1."""

    new_job: NewJob
    reason: Reason
    accepted_at: float
    ended_at: float
    attempts: tuple[Attempt, ...]
    original: bytes | None = None
    ends: int = 0


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The answer of a transition about a dead letter.

    `superseded_by` is the id of the newer job. `unconfirmed`: the API may have it already.
    """

    job_id: str
    answer: str
    superseded_by: str | None = None
    unconfirmed: bool = False
