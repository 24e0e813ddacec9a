"""Filter, order and pages of the list of dead letters. Pure functions over summaries."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from lanes.dead_letters.filter import ALL, REASONS, DeadLetterFilter
from lanes.dead_letters.groups import OTHER, ErrorGroup
from lanes.dead_letters.operations import TimeRange
from lanes.queue.dead_letter_summary import DeadLetterSummary

SIZES = (25, 50, 100, 250)
MAX_TEXT = 500  # characters of a filter
MAX_TIME = datetime(9999, 1, 1, tzinfo=UTC).timestamp()

# Column -> its sort key.
COLUMNS: dict[str, Callable[[DeadLetterSummary], Any]] = {
    "failed_at": lambda letter: letter.failed_at,
    "location": lambda letter: letter.location_id,
    "reason": lambda letter: letter.reason,
    "status": lambda letter: letter.status,
    "code": lambda letter: letter.code,
    "message": lambda letter: letter.message,
    "attempts": lambda letter: letter.attempts,
    "service": lambda letter: letter.service or "",
}
# The periods of the menu, in seconds until now.
PERIODS = {"15m": 900, "1h": 3600, "12h": 43_200, "24h": 86_400, "7d": 604_800}


@dataclass(frozen=True, slots=True)
class DeadLetterQuery:
    """The filter, order and page. Times in seconds since the epoch; `problems` lists the invalid values."""

    dead_letter_filter: DeadLetterFilter = ALL
    since: float | None = None
    until: float | None = None
    within: str = ""
    groups: bool = False
    sort: str = "failed_at"
    descending: bool = True
    page: int = 1
    size: int = 50
    problems: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "DeadLetterQuery":
        """Read the parameters of a query; empty values count as missing."""
        values = {name: value.strip()[:MAX_TEXT] for name, value in given.items() if value.strip()}
        problems: list[str] = []

        def one_of(name: str, known: Sequence[str], default: str) -> str:
            if values.get(name, default) in known:
                return values.get(name, default)
            problems.append(f"{name}: must be one of {', '.join(filter(None, known))}")
            return default

        def number(name: str, default: int, maximum: float) -> int:
            text = values.get(name, str(default))
            if text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= maximum:
                return int(text)
            problems.append(f"{name}: must be a number")
            return default

        def time(name: str) -> float | None:
            try:
                return read_time(values[name]) if name in values else None
            except ValueError:
                problems.append(f"{name}: must be a time like 2026-05-01T07:00")
                return None

        status = values.get("status")
        code = values.get("code")
        query = cls(
            DeadLetterFilter(
                location_id=values.get("location"),
                reason=one_of("reason", ("", *REASONS), "") or None,
                status=None if status is None else 0 if status == "none" else number("status", 0, 599) or None,
                message=values.get("message"),
                message_pattern=given.get("message_pattern"),  # exact; empty for dead letters without a message
                code="" if code == "none" else code,
                service=values.get("service"),
            ),
            since=time("from"),
            until=time("to"),
            within=one_of("within", ("", *PERIODS), ""),
            groups=values.get("view") == "groups",
            sort=one_of("sort", tuple(COLUMNS), "failed_at"),
            descending=one_of("order", ("down", "up"), "down") == "down",
            page=max(1, number("page", 1, math.inf)),
            size=number("size", 50, SIZES[-1]) or 50,
        )
        return replace(query, problems=tuple(problems))

    def time_range(self, now: float) -> TimeRange:
        """Return the time range, up to now."""
        since = max(self.since or 0.0, now - PERIODS[self.within] if self.within else 0.0)
        return TimeRange(now if self.until is None else min(now, self.until), since)

    def open_span(self, now: float) -> TimeRange:
        """Return the time range for a cache: without an end if none is given, and the same for 5 s."""
        time_range = self.time_range(now - now % 5 if self.within else now)
        return TimeRange(math.inf if self.until is None else self.until, time_range.since)

    def as_query(self, **changes: Any) -> dict[str, str]:
        """Return it as `read` reads it, with changes and without defaults."""
        query = replace(self, **changes)
        dead_letter_filter = query.dead_letter_filter
        found = {
            "location": dead_letter_filter.location_id,
            "reason": dead_letter_filter.reason,
            "status": "none" if dead_letter_filter.status == 0 else dead_letter_filter.status,
            "message": dead_letter_filter.message,
            "message_pattern": dead_letter_filter.message_pattern,
            "code": "none" if dead_letter_filter.code == "" else dead_letter_filter.code,
            "service": dead_letter_filter.service,
            "from": write_time(query.since),
            "to": write_time(query.until),
            "within": query.within or None,
            "view": "groups" if query.groups else None,
            "sort": query.sort if query.sort != "failed_at" else None,
            "order": None if query.descending else "up",
            "page": query.page if query.page > 1 else None,
            "size": query.size if query.size != 50 else None,
        }
        return {name: str(value) for name, value in found.items() if value is not None}

    def url(self, **changes: Any) -> str:
        """Return the query of a link, with changes."""
        return "?" + urlencode(self.as_query(**changes))

    @property
    def is_narrowed(self) -> bool:
        """Whether it selects fewer than all."""
        return self.dead_letter_filter.is_narrowed or bool(self.since or self.until or self.within)

    def __str__(self) -> str:
        """Describe the filter, for the audit log."""
        query = self.as_query(groups=False, sort="failed_at", descending=True, page=1, size=50)
        filters = ", ".join(f"{name} {value}" for name, value in query.items())
        return f"dead letters with {filters}" if filters else "dead letters"


def read_time(text: str) -> float:
    """Read a time of a form, in UTC; return seconds since the epoch.

    Raises:
        ValueError: it is invalid, or beyond what `write_time` can write.
    """
    found = datetime.fromisoformat(text)
    seconds = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not 0 <= seconds < MAX_TIME:
        message = "out of range"
        raise ValueError(message)
    return seconds


def write_time(seconds: float | None) -> str | None:
    """Return a time for a form, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True, slots=True)
class ResultPage:
    """A page: what is `shown`, the number of its `first` item, its own number, and the totals of pages and items."""

    shown: Sequence[Any]
    first: int
    page: int
    pages: int
    total: int


def paginate(found: Sequence[Any], page: int, size: int) -> ResultPage:
    """Return a page, or the last page if there are fewer."""
    pages = max(1, -(-len(found) // size))
    page = min(page, pages)
    start = (page - 1) * size
    return ResultPage(found[start : start + size], start + 1, page, pages, len(found))


def select_dead_letters(
    letters: Sequence[DeadLetterSummary], dead_letter_filter: DeadLetterFilter, time_range: TimeRange
) -> list[DeadLetterSummary]:
    """Return the dead letters that match a filter and a time range, in their order."""
    found = [letter for letter in letters if time_range.since <= letter.failed_at <= time_range.until]
    return list(filter(dead_letter_filter.matches, found)) if dead_letter_filter.is_narrowed else found


def sort_dead_letters(letters: Sequence[DeadLetterSummary], sort: str, *, descending: bool) -> list[DeadLetterSummary]:
    """Sort dead letters, which are given newest first; equal ones stay in that order."""
    if sort == "failed_at":
        return list(letters) if descending else list(reversed(letters))
    return sorted(letters, key=COLUMNS[sort], reverse=descending)


def filter_of_group(group: ErrorGroup, query: DeadLetterQuery) -> DeadLetterFilter | None:
    """Return the filter for the dead letters of a group; None for the group of all other messages."""
    if group.message == OTHER:
        return None
    return replace(
        query.dead_letter_filter,
        reason=group.reason,
        status=group.status,
        code=group.code,
        message_pattern=group.message,
    )
