"""A new job and the result of enqueueing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lanes.errors import LanesError
from lanes.versions import DEFAULT_VERSION


@dataclass(slots=True)
class NewJob:
    """A validated job to enqueue. Times in seconds since the epoch.

    One is made for each row. It is not frozen, since making a frozen one takes longer than all of its validation.
    """

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
    """The answer of `enqueue`. Forgotten: its idempotency key is known, but its job is done and cannot be read."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    FORGOTTEN = "forgotten"
    CONFLICT = "conflict"


@dataclass(slots=True)
class EnqueueResult:
    """The result of an enqueue: `id` is that of the earlier job if it was known already."""

    status: EnqueueStatus
    id: str


class NotDurableError(LanesError):
    """Jobs were accepted, but the durability could not be confirmed; `answers` are those of the enqueue."""

    def __init__(self, message: str, answers: Sequence[EnqueueResult | Exception]) -> None:
        super().__init__(message)
        self.answers = list(answers)
