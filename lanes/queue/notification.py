"""A notification from the lanes."""

import json
from dataclasses import dataclass, field
from typing import Any, Self

from lanes.queue.job import reading
from lanes.storage.stored import MICROSECONDS


@dataclass(frozen=True, slots=True)
class Notification:
    """`event` is one of docs/outages.md, like `lane_held`, or `limit_changed`, which is only logged.

    Times in seconds: `at` since the epoch, `age` when it was claimed. `new` unless it was claimed before. `stored` is
    its text in Redis.
    """

    id: str
    event: str
    at: float
    age: float = 0.0
    new: bool = True
    facts: dict[str, Any] = field(default_factory=dict)
    stored: bytes = b""

    @classmethod
    def parse(cls, stored: bytes, taken: bytes, age: int) -> Self:
        """Read the reply of `claim_notification.lua`.

        Raises:
            StoredJobError: it cannot be read.
        """
        with reading("a notification"):
            facts = json.loads(stored)
            notification_id, event = facts.pop("id"), facts.pop("event")
            at = int(notification_id.partition("-")[0]) / MICROSECONDS
            return cls(notification_id, event, at, age / MICROSECONDS, taken == b"new", facts, stored)
