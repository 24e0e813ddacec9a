"""A notification from the lanes."""

from dataclasses import dataclass, field
from typing import Any, Self

from lanes.storage.stored import MICROSECONDS, json_object_of, number_of

UNREADABLE = "notification_unreadable"


@dataclass(frozen=True, slots=True)
class Notification:
    """`event` is one of docs/outages.md, like `lane_held`, or one that is only logged: `limit_changed`, `UNREADABLE`.

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
        """Read the reply of `claim_notification.lua`. The event is `UNREADABLE` if it cannot be read."""
        facts = json_object_of(stored) or {}
        notification_id, event = facts.pop("id", None), facts.pop("event", None)
        at = number_of(str(notification_id).partition("-")[0].encode("utf-8", "replace"))
        if not isinstance(event, str) or at is None:
            return cls("?", UNREADABLE, 0.0, stored=stored)
        return cls(str(notification_id), event, at / MICROSECONDS, age / MICROSECONDS, taken == b"new", facts, stored)
