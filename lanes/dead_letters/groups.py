"""Dead letters grouped by error."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lanes.queue.dead_letter_summary import DeadLetterSummary, message_pattern_of
from lanes.storage.stored import as_plain

# Bounds of the memory that a grouping uses.
MAX_GROUPS = 1000
MAX_LOCATIONS = 1000
OTHER = "(other messages)"


@dataclass(slots=True)
class ErrorGroup:
    """Dead letters with the same error; times in seconds since the epoch. `example` is the id of one.

    `status` and `code` as in a summary; 0 and '' for the group `OTHER`, whose errors differ.
    """

    reason: str
    status: int
    code: str
    message: str
    example: str
    oldest: float
    newest: float
    count: int = 0
    locations: set[str] = field(default_factory=set)

    def add(self, dead_letter: DeadLetterSummary) -> None:
        """Add a dead letter."""
        self.count += 1
        self.oldest, self.newest = min(self.oldest, dead_letter.failed_at), max(self.newest, dead_letter.failed_at)
        if len(self.locations) < MAX_LOCATIONS:
            self.locations.add(dead_letter.location_id)

    @property
    def location_count(self) -> str:
        """The number of their locations, with a + if there may be more."""
        return f"{len(self.locations)}{'+' if len(self.locations) == MAX_LOCATIONS else ''}"

    def as_json(self) -> dict[str, Any]:
        """Return the group as plain values; `locations` is counted up to a limit."""
        shown = {"locations": len(self.locations), "status": self.status or None, "code": self.code or None}
        return as_plain(self) | shown


def group_by_error(found: Iterable[DeadLetterSummary]) -> list[ErrorGroup]:
    """Return the groups, the largest first. Ids within messages are ignored."""
    groups: dict[tuple[str, int, str, str], ErrorGroup] = {}
    for dead_letter in found:
        key = (dead_letter.reason, dead_letter.status, dead_letter.code, message_pattern_of(dead_letter.message))
        if key not in groups and len(groups) >= MAX_GROUPS:
            key = (dead_letter.reason, 0, "", OTHER)
        if key not in groups:
            groups[key] = ErrorGroup(*key, dead_letter.id, dead_letter.failed_at, dead_letter.failed_at)
        groups[key].add(dead_letter)
    return sorted(groups.values(), key=lambda each: -each.count)
