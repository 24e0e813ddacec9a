"""Dead letters, as they are put back and moved."""

from dataclasses import dataclass

from lanes.queue.job import Attempt, Reason
from lanes.queue.new_job import NewJob


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter as an export tells it, and an import puts it back. Times in seconds since the epoch."""

    new_job: NewJob
    reason: Reason
    accepted_at: float
    ended_at: float
    attempts: tuple[Attempt, ...]
    original: bytes | None = None


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What a transition answered about a dead letter.

    `superseded_by` is the id of the job that has overtaken it. `unconfirmed`: it died of that, so the API may have it already.
    """

    job_id: str
    answer: str
    superseded_by: str | None = None
    unconfirmed: bool = False
