"""What the page of the dead letters shows of those that are known: pure functions over summaries."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from lanes.letter_choice import ALL, REASONS, Choice
from lanes.letter_groups import OTHER, Group
from lanes.letter_summary import Summary
from lanes.letters import Span

SIZES = (25, 50, 100, 250)
MOST_TEXT = 500  # characters of a filter
FOREVER = datetime(9999, 1, 1, tzinfo=UTC).timestamp()

# What a table can be sorted by.
COLUMNS: dict[str, Callable[[Summary], Any]] = {
    "died": lambda letter: letter.died_at,
    "location": lambda letter: letter.location_id,
    "reason": lambda letter: letter.reason,
    "status": lambda letter: letter.status,
    "code": lambda letter: letter.code,
    "message": lambda letter: letter.message,
    "attempts": lambda letter: letter.attempts,
    "service": lambda letter: letter.service or "",
}
# Spans of time until now that a menu offers, in seconds.
WITHIN = {"15m": 900, "1h": 3600, "12h": 43_200, "24h": 86_400, "7d": 604_800}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks to see. Times in seconds since the epoch; `problems` names what was not understood."""

    choice: Choice = ALL
    since: float | None = None
    until: float | None = None
    within: str = ""
    groups: bool = False
    sort: str = "died"
    down: bool = True
    page: int = 1
    size: int = 50
    problems: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "Wanted":
        """Read the names and values of a query; those that are empty are not given."""
        values = {name: value.strip()[:MOST_TEXT] for name, value in given.items() if value.strip()}
        problems: list[str] = []

        def one_of(name: str, known: Sequence[str], default: str) -> str:
            if values.get(name, default) in known:
                return values.get(name, default)
            problems.append(f"{name}: must be one of {', '.join(filter(None, known))}")
            return default

        def number(name: str, default: int, most: float) -> int:
            text = values.get(name, str(default))
            if text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= most:
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
        wanted = cls(
            Choice(
                location_id=values.get("location"),
                reason=one_of("reason", ("", *REASONS), "") or None,
                status=None if status is None else 0 if status == "none" else number("status", 0, 599) or None,
                message=values.get("message"),
                like=given.get("like"),  # to the letter; empty for a group of those that said nothing
                code="" if code == "none" else code,
                service=values.get("service"),
            ),
            since=time("from"),
            until=time("to"),
            within=one_of("within", ("", *WITHIN), ""),
            groups=values.get("view") == "groups",
            sort=one_of("sort", tuple(COLUMNS), "died"),
            down=one_of("order", ("down", "up"), "down") == "down",
            page=max(1, number("page", 1, math.inf)),
            size=number("size", 50, SIZES[-1]) or 50,
        )
        return wanted if not problems else cls(**{**_values(wanted), "problems": tuple(problems)})

    def span(self, now: float) -> Span:
        """Return when those that it takes died, up to now."""
        since = max(self.since or 0.0, now - WITHIN[self.within] if self.within else 0.0)
        return Span(now if self.until is None else min(now, self.until), since)

    def open_span(self, now: float) -> Span:
        """Return the same without an end where none is asked for, and the same again a moment later: for a cache."""
        span = self.span(now - now % 5 if self.within else now)
        return Span(math.inf if self.until is None else self.until, span.since)

    def as_query(self, **changes: Any) -> dict[str, str]:
        """Return it as `read` reads it, with changes, without what is the default."""
        wanted = Wanted(**{**_values(self), **changes})
        choice = wanted.choice
        found = {
            "location": choice.location_id,
            "reason": choice.reason,
            "status": "none" if choice.status == 0 else choice.status,
            "message": choice.message,
            "like": choice.like,
            "code": "none" if choice.code == "" else choice.code,
            "service": choice.service,
            "from": write_time(wanted.since),
            "to": write_time(wanted.until),
            "within": wanted.within or None,
            "view": "groups" if wanted.groups else None,
            "sort": wanted.sort if wanted.sort != "died" else None,
            "order": None if wanted.down else "up",
            "page": wanted.page if wanted.page > 1 else None,
            "size": wanted.size if wanted.size != 50 else None,
        }
        return {name: str(value) for name, value in found.items() if value is not None}

    def url(self, **changes: Any) -> str:
        """Return the query of a link to it, with changes."""
        return "?" + urlencode(self.as_query(**changes))

    @property
    def is_narrowed(self) -> bool:
        """Whether it is about fewer than all."""
        return self.choice.is_narrowed or bool(self.since or self.until or self.within)

    def __str__(self) -> str:
        """Say which letters, for the trail: never what is in them, but what was looked for."""
        query = self.as_query(groups=False, sort="died", down=True, page=1, size=50)
        return "dead letters" + (
            " with " + ", ".join(f"{name} {value}" for name, value in query.items()) if query else ""
        )


def _values(wanted: Wanted) -> dict[str, Any]:
    return {each.name: getattr(wanted, each.name) for each in fields(wanted)}


def read_time(text: str) -> float:
    """Return a time as forms send it, in UTC, in seconds since the epoch.

    Raises:
        ValueError: it is none, or none that `write_time` could write.
    """
    found = datetime.fromisoformat(text)
    seconds = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not 0 <= seconds < FOREVER:
        message = "beyond all times that a letter can have"
        raise ValueError(message)
    return seconds


def write_time(seconds: float | None) -> str | None:
    """Return a time as forms take it, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def moment(seconds: float | None) -> str:
    """Return a time in UTC, as people read it."""
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, slots=True)
class Part:
    """One page of many: what is on it, from the `first` on, which one it is, of how many, and how many are on all."""

    shown: Sequence[Any]
    first: int
    page: int
    pages: int
    total: int


def cut(found: Sequence[Any], page: int, size: int) -> Part:
    """Return a page; the last one, where it is beyond."""
    pages = max(1, -(-len(found) // size))
    page = min(page, pages)
    start = (page - 1) * size
    return Part(found[start : start + size], start + 1, page, pages, len(found))


def chosen(letters: Sequence[Summary], choice: Choice, span: Span) -> list[Summary]:
    """Return the letters that a choice and a span take, in their order."""
    if choice.is_narrowed:
        return [letter for letter in letters if span.since <= letter.died_at <= span.until and choice.takes(letter)]
    return [letter for letter in letters if span.since <= letter.died_at <= span.until]


def ordered(letters: Sequence[Summary], sort: str, *, down: bool) -> list[Summary]:
    """Return letters, which are the newest first, sorted; the newer one first where they are the same."""
    if sort == "died":
        return list(letters) if down else list(reversed(letters))
    return sorted(letters, key=COLUMNS[sort], reverse=down)


def choice_of(group: Group, wanted: Wanted) -> Choice | None:
    """Return what takes the letters of a group and no others; None for the rest of many messages."""
    if group.message == OTHER:
        return None
    own = {"reason": group.reason, "status": group.status, "code": group.code, "like": group.message}
    common = {each.name: getattr(wanted.choice, each.name) for each in fields(Choice)}
    return Choice(**{**common, **own})
