"""The table of lanes: search, filter, order and pages. Pure functions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil
from typing import Any
from urllib.parse import urlencode

from lanes.queue.lane import Lane
from lanes.rate_limits import RateLimit
from lanes.settings import RateLimitSettings

MIN_ROWS, ROWS, MAX_ROWS = 25, 50, 200
MAX_SEARCH = 255


class LaneFilter(StrEnum):
    """Which lanes are shown."""

    ALL = "all"
    WAITING = "waiting"
    HELD = "held"
    BRAKED = "braked"
    FAILING = "failing"
    DEAD = "dead"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class LimitCaps:
    """The common limits of locations; None where the API's limit applies."""

    burst: int | None
    daily: int | None

    @classmethod
    def of(cls, settings: RateLimitSettings) -> "LimitCaps":
        """Return those of the settings."""
        return cls(settings.burst_cap, settings.daily_cap)

    def burst_of(self, lane: Lane) -> RateLimit:
        """Return the burst limit in force, and its source."""
        return lane.burst_in_force(self.burst)

    def daily_of(self, lane: Lane) -> RateLimit:
        """Return the daily quota in force, and its source."""
        return lane.daily_in_force(self.daily)


def dead_letter_count(lane: Lane) -> int:
    """Return how many dead letters a lane has, with its expired jobs."""
    return lane.counts["dead"] + lane.counts["expired"]


FILTERS: Mapping[LaneFilter, Callable[[Lane], bool]] = {
    LaneFilter.ALL: lambda _: True,
    LaneFilter.WAITING: lambda lane: lane.counts["pending"] > 0,
    LaneFilter.HELD: lambda lane: lane.hold is not None,
    LaneFilter.BRAKED: lambda lane: lane.brake is not None,
    LaneFilter.FAILING: lambda lane: lane.failing > 0,
    LaneFilter.DEAD: lambda lane: dead_letter_count(lane) > 0,
    LaneFilter.IDLE: lambda lane: not (lane.counts["pending"] or lane.counts["in_flight"] or lane.hold is not None),
}

# Column -> its sort key; None is last in both directions.
SortKey = Callable[[Lane, LimitCaps], float | str | None]
COLUMNS: Mapping[str, SortKey] = {
    "location": lambda lane, _: lane.location_id,
    "pending": lambda lane, _: lane.counts["pending"],
    "in_flight": lambda lane, _: lane.counts["in_flight"],
    "delivered": lambda lane, _: lane.counts["delivered"],
    "dead": lambda lane, _: dead_letter_count(lane),
    "window": lambda lane, caps: lane.window_used / caps.burst_of(lane).requests,
    "day": lambda lane, caps: lane.day_used / caps.daily_of(lane).requests,
    "next": lambda lane, _: lane.due_in,
    "oldest": lambda lane, _: lane.oldest,
    "hold": lambda lane, _: None if lane.hold is None else (lane.held_by or "") + "\0" + lane.hold,
}
# Columns that are sorted in ascending order first.
ASCENDING_FIRST = ("location", "next", "hold")
SHOWN_COUNTS = ("accepted", "pending", "in_flight", "delivered", "merged", "cancelled")


@dataclass(frozen=True, slots=True)
class LaneTableQuery:
    """The search, filter, order and page. All values are within their bounds; `page` may be beyond the last one."""

    search: str = ""
    show: LaneFilter = LaneFilter.ALL
    sort: str = "pending"
    descending: bool = True
    page: int = 1
    rows: int = ROWS

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> "LaneTableQuery":
        """Read an address; invalid values count as missing."""
        sort = given.get("sort", "")
        sort = sort if sort in COLUMNS else cls().sort
        direction = given.get("direction") if given.get("direction") in ("up", "down") else None
        show = given.get("show", "")
        return cls(
            search=given.get("search", "").strip()[:MAX_SEARCH],
            show=LaneFilter(show) if show in set(LaneFilter) else LaneFilter.ALL,
            sort=sort,
            descending=sort not in ASCENDING_FIRST if direction is None else direction == "down",
            page=_number(given.get("page"), 1, 10**6, 1),
            rows=_number(given.get("rows"), MIN_ROWS, MAX_ROWS, ROWS),
        )

    def sorted_by(self, column: str) -> "LaneTableQuery":
        """Return the query after a click on a column's head."""
        descending = not self.descending if column == self.sort else column not in ASCENDING_FIRST
        return replace(self, sort=column, descending=descending, page=1)

    def query_string(self) -> str:
        """Return it as the query of an address, without defaults."""
        usual = LaneTableQuery()
        given: dict[str, object] = {
            name: getattr(self, name)
            for name in ("search", "show", "sort", "page", "rows")
            if getattr(self, name) != getattr(usual, name)
        }
        if self.descending != (self.sort not in ASCENDING_FIRST):
            given["direction"] = "down" if self.descending else "up"
        return urlencode(given)


@dataclass(frozen=True, slots=True)
class LaneTablePage:
    """One page of the table: its lanes, and the number, the pages and the totals of all matching lanes.

    `matching` has the number of lanes for each filter, with the same search.
    """

    query: LaneTableQuery
    lanes: tuple[Lane, ...]
    found: int
    pages: int
    totals: Mapping[str, int]
    matching: Mapping[LaneFilter, int]


def paginate(lanes: Sequence[Lane], query: LaneTableQuery, caps: LimitCaps) -> LaneTablePage:
    """Return the page of a query, or the last page if there are fewer."""
    text = query.search.casefold()
    searched = [lane for lane in lanes if text in lane.location_id.casefold()] if text else lanes
    matching = {show: sum(map(choice, searched)) for show, choice in FILTERS.items()}
    found = list(filter(FILTERS[query.show], searched))
    pages = max(1, ceil(len(found) / query.rows))
    page = min(query.page, pages)
    rows = sort(found, query, caps)[(page - 1) * query.rows : page * query.rows]
    return LaneTablePage(replace(query, page=page), tuple(rows), len(found), pages, _totals(found), matching)


def as_row(lane: Lane, caps: LimitCaps) -> dict[str, Any]:
    """Return a lane as plain values, with the limits in force."""
    return {
        "location": lane.location_id,
        **{name: lane.counts[name] for name in SHOWN_COUNTS},
        "dead": dead_letter_count(lane),
        "window": _use(lane.window_used, caps.burst_of(lane)),
        "day": _use(lane.day_used, caps.daily_of(lane)),
        "next": lane.due_in,
        "waits_for": None if lane.waits_for is None else lane.waits_for.value,
        "oldest": lane.oldest,
        "hold": lane.hold,
        "held_by": lane.held_by,
        "held_at": lane.held_at,
        "hold_causes": [cause.value for cause in lane.hold_causes],
        "hold_text": lane.hold_text,
        "failing": lane.failing,
        "brake": None if lane.brake is None else lane.brake.as_json(),
    }


def _use(used: int, limit: RateLimit) -> dict[str, Any]:
    return {"used": used, "of": limit.requests, "by": limit.source.value}


def sort(lanes: Iterable[Lane], query: LaneTableQuery, caps: LimitCaps) -> list[Lane]:
    """Return the lanes in order; lanes that are equal or without a value, by name."""
    key = COLUMNS[query.sort]
    keyed = [(key(lane, caps), lane) for lane in sorted(lanes, key=lambda lane: lane.location_id)]
    with_value = [(value, lane) for value, lane in keyed if value is not None]
    with_value.sort(key=lambda pair: pair[0], reverse=query.descending)
    return [lane for _, lane in with_value] + [lane for value, lane in keyed if value is None]


def _totals(lanes: Sequence[Lane]) -> dict[str, int]:
    return {
        **{name: sum(lane.counts[name] for lane in lanes) for name in ("pending", "in_flight", "delivered")},
        "dead": sum(map(dead_letter_count, lanes)),
        "held": sum(lane.hold is not None for lane in lanes),
    }


def _number(text: str | None, minimum: int, maximum: int, otherwise: int) -> int:
    """Read a number, cut to its bounds."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 9:
        return otherwise
    return min(max(int(text), minimum), maximum)
