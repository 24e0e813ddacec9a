"""What goes into a lane, and what is said to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lanes.errors import LanesError
from lanes.versions import DEFAULT_VERSION


@dataclass(frozen=True, slots=True)
class NewJob:
    """A validated job on its way into a lane. Times in seconds since the epoch; windows in seconds."""

    id: str
    location_id: str
    record: str
    body: bytes
    not_before: float | None = None
    expires_at: float | None = None
    service: str | None = None
    idempotency_key: str | None = None
    fingerprint: str = ""
    priority: int = 0
    merge: bool = False
    event_time: float | None = None
    version: str = DEFAULT_VERSION
    expires_while_held: bool = False


class EnqueueStatus(StrEnum):
    """What `enqueue` said to an order."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class EnqueueResult:
    """The answer to an order: the id is that of the earlier job when it was known already."""

    status: EnqueueStatus
    id: str


class NotDurableError(LanesError):
    """Jobs were accepted, but are not known to be as safe as was asked; `answers` are those of the enqueue."""

    def __init__(self, message: str, answers: Sequence[EnqueueResult | Exception]) -> None:
        super().__init__(message)
        self.answers = list(answers)
