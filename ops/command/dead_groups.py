"""Dead letters that died of the same thing, counted together."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lanes.job import Job
from ops.command.dead_letters import answer_text
from ops.command.table import Column, print_table
from ops.command.words import counted, moment, printable, say

COLUMNS = (
    Column("letters", right=True),
    Column("locations", right=True),
    Column("reason", alarm="red"),
    Column("status", right=True),
    Column("code"),
    Column("oldest"),
    Column("newest"),
    Column("one of them"),
    Column("message"),
)
# However many letters there are, no more than this is kept of them.
MOST_GROUPS = 1000
MOST_LOCATIONS = 1000
OTHER = "(other messages)"
# A long word with a digit in it is an id: what else the message says is the same for all of them.
_ID = re.compile(r"\b(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{10,}\b")


@dataclass(slots=True)
class Group:
    """Letters that died of the same thing; times in seconds since the epoch, one of them by its id."""

    reason: str | None
    status: int | None
    code: str | None
    message: str
    example: str
    oldest: float
    newest: float
    count: int = 0
    locations: set[str] = field(default_factory=set)

    def add(self, job: Job) -> None:
        """Count one more."""
        self.count += 1
        self.newest = job.ended_at or 0.0
        if len(self.locations) < MOST_LOCATIONS:
            self.locations.add(job.location_id)

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
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "oldest": self.oldest,
            "newest": self.newest,
            "example": self.example,
        }


def group(jobs: Iterable[Job]) -> list[Group]:
    """Return the groups of letters, the largest first. Ids within messages are left out of account."""
    groups: dict[tuple[object, ...], Group] = {}
    for job in jobs:
        detail = job.attempts[-1].detail if job.attempts else {}
        message = _ID.sub("…", answer_text(job))
        key = (job.reason, detail.get("status"), detail.get("code"), message)
        if key not in groups and len(groups) >= MOST_GROUPS:
            message, key = OTHER, (job.reason, None, None, OTHER)
        if key not in groups:
            died = job.ended_at or 0.0
            groups[key] = Group(job.reason, key[1], key[2], message, job.id, died, died)
        groups[key].add(job)
    return sorted(groups.values(), key=lambda each: -each.count)


def print_groups(groups: Iterable[Group]) -> None:
    """Print a table of the groups, and the sum."""
    rows = [
        (
            f"{each.count:,}",
            each.places,
            each.reason,
            each.status or "",
            each.code or "",
            moment(each.oldest),
            moment(each.newest),
            each.example,
            printable(each.message),
        )
        for each in groups
    ]
    if rows:
        print_table(COLUMNS, rows)
    total = sum(each.count for each in groups)
    say(f"{counted(total, 'dead letter')} in {counted(len(rows), 'group')}" if rows else "no dead letters")
