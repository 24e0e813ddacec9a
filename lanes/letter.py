"""Dead letters, as they are put back and moved."""

from dataclasses import dataclass

from lanes.job import Attempt, Reason
from lanes.order import Order


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as an export tells it, and an import puts it back. Times in seconds since the epoch."""

    order: Order
    reason: Reason
    accepted_at: float
    ended_at: float
    attempts: tuple[Attempt, ...]
    original: bytes | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transition answered about a dead letter.

    `newer` is the id of the job that has overtaken it. `unconfirmed`: it died of that, so the API may have it already.
    """

    job_id: str
    answer: str
    newer: str | None = None
    unconfirmed: bool = False
