"""Dead letters that died of the same thing, counted together."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lanes.letter_summary import Summary, shape_of

# However many letters there are, no more than this is kept of them.
MOST_GROUPS = 1000
MOST_LOCATIONS = 1000
OTHER = "(other messages)"


@dataclass(slots=True)
class Group:
    """Letters that died of the same thing; times in seconds since the epoch, one of them by its id.

    `status` and `code` as in a summary; those of `OTHER` are of many kinds, and have 0 and ''.
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

    def add(self, letter: Summary) -> None:
        """Count one more."""
        self.count += 1
        self.oldest, self.newest = min(self.oldest, letter.died_at), max(self.newest, letter.died_at)
        if len(self.locations) < MOST_LOCATIONS:
            self.locations.add(letter.location_id)

    @property
    def places(self) -> str:
        """How many locations they come from, as far as was counted."""
        return f"{len(self.locations)}{'+' if len(self.locations) == MOST_LOCATIONS else ''}"

    def as_json(self) -> dict[str, Any]:
        """Return the group as plain values; `locations` is counted up to a limit."""
        return {
            "count": self.count,
            "locations": len(self.locations),
            "reason": self.reason,
            "status": self.status or None,
            "code": self.code or None,
            "message": self.message,
            "oldest": self.oldest,
            "newest": self.newest,
            "example": self.example,
        }


def group(found: Iterable[Summary]) -> list[Group]:
    """Return the groups of letters, the largest first. Ids within messages are left out of account."""
    groups: dict[tuple[str, int, str, str], Group] = {}
    for letter in found:
        key = (letter.reason, letter.status, letter.code, shape_of(letter.message))
        if key not in groups and len(groups) >= MOST_GROUPS:
            key = (letter.reason, 0, "", OTHER)
        if key not in groups:
            groups[key] = Group(*key, letter.id, letter.died_at, letter.died_at)
        groups[key].add(letter)
    return sorted(groups.values(), key=lambda each: -each.count)
