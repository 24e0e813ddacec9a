"""Dead letters to import, and results of actions on dead letters."""

from dataclasses import dataclass

from lanes.queue.job import Attempt, Reason
from lanes.queue.new_job import NewJob


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter to import. Times in seconds since the epoch."""

    new_job: NewJob
    reason: Reason
    accepted_at: float
    ended_at: float
    attempts: tuple[Attempt, ...]
    original: bytes | None = None


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The answer of a transition about a dead letter.

    `superseded_by` is the id of the newer job. `unconfirmed`: the API may have it already.
    """

    job_id: str
    answer: str
    superseded_by: str | None = None
    unconfirmed: bool = False
