"""The table of lanes: what is found, in which order, on which page."""

from typing import Any
from urllib.parse import parse_qsl

import pytest

from lanes.queue.lane import COUNTS, Lane
from worker.dashboard.lanes.table import COLUMNS, LaneFilter, LaneTableQuery, LimitCaps, paginate, sort

BUDGETS = LimitCaps(burst=100, daily=1000)


def lane(name: str, **fields: Any) -> Lane:
    """Return a lane; the names of counts are counts."""
    counts = {**dict.fromkeys(COUNTS, 0), **{key: fields.pop(key) for key in list(fields) if key in COUNTS}}
    known: dict[str, Any] = {"hold": None, "held_by": None, "due_in": None, "day_used": 0, "window_used": 0}
    return Lane(location_id=name, counts=counts, **{**known, **fields})


LANES = [
    lane("Alpha", pending=5, in_flight=1, delivered=7, window_used=50, due_in=3.0, oldest=9.0, day_used=100),
    lane("beta", pending=5, hold="why", held_by="ada", oldest=60.0, dead=2),
    lane("gamma", delivered=9, dead=1, expired=4, window_used=30, burst=40, daily=100, day_used=50),
    lane("delta", pending=1, failing=20, due_in=0.0),
    lane("ALPHABET", hold="a", held_by="zoe"),
]


def names(**given: str) -> list[str]:
    page = paginate(LANES, LaneTableQuery.parse(given), BUDGETS)
    return [each.location_id for each in page.lanes]


@pytest.mark.parametrize(
    ("sort_by", "direction", "found"),
    [
        ("location", "up", ["ALPHABET", "Alpha", "beta", "delta", "gamma"]),
        ("location", "down", ["gamma", "delta", "beta", "Alpha", "ALPHABET"]),
        ("pending", "down", ["Alpha", "beta", "delta", "ALPHABET", "gamma"]),
        ("pending", "up", ["ALPHABET", "gamma", "delta", "Alpha", "beta"]),
        ("in_flight", "down", ["Alpha", "ALPHABET", "beta", "delta", "gamma"]),
        ("delivered", "down", ["gamma", "Alpha", "ALPHABET", "beta", "delta"]),
        ("dead", "down", ["gamma", "beta", "ALPHABET", "Alpha", "delta"]),
        ("window", "down", ["gamma", "Alpha", "ALPHABET", "beta", "delta"]),
        ("day", "down", ["gamma", "Alpha", "ALPHABET", "beta", "delta"]),
        ("next", "up", ["delta", "Alpha", "ALPHABET", "beta", "gamma"]),
        ("next", "down", ["Alpha", "delta", "ALPHABET", "beta", "gamma"]),
        ("oldest", "down", ["beta", "Alpha", "ALPHABET", "delta", "gamma"]),
        ("oldest", "up", ["Alpha", "beta", "ALPHABET", "delta", "gamma"]),
        ("hold", "up", ["beta", "ALPHABET", "Alpha", "delta", "gamma"]),
        ("hold", "down", ["ALPHABET", "beta", "Alpha", "delta", "gamma"]),
    ],
)
def test_every_column_both_ways_and_what_is_unknown_last(sort_by: str, direction: str, found: list[str]) -> None:
    assert names(sort=sort_by, direction=direction) == found


def test_every_column_is_tested() -> None:
    for column in COLUMNS:
        assert len(sort(LANES, LaneTableQuery(sort=column), BUDGETS)) == len(LANES)


@pytest.mark.parametrize(
    ("show", "found"),
    [
        ("all", ["ALPHABET", "Alpha", "beta", "delta", "gamma"]),
        ("waiting", ["Alpha", "beta", "delta"]),
        ("held", ["ALPHABET", "beta"]),
        ("failing", ["delta"]),
        ("dead", ["beta", "gamma"]),
        ("idle", ["gamma"]),
        ("nonsense", ["ALPHABET", "Alpha", "beta", "delta", "gamma"]),
    ],
)
def test_filters(show: str, found: list[str]) -> None:
    assert names(show=show, sort="location") == found
    if show in set(LaneFilter):
        assert paginate(LANES, LaneTableQuery(), BUDGETS).matching[LaneFilter(show)] == len(found)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("alpha", ["ALPHABET", "Alpha"]),
        (" bet ", ["ALPHABET", "beta"]),
        ("lta", ["delta"]),
        ("no.such", []),
        ("%", []),
        ("[", []),
    ],
)
def test_search_for_a_part_of_the_location(search: str, found: list[str]) -> None:
    assert names(search=search, sort="location") == found


def test_totals_and_filters_cover_all_results_not_only_the_page() -> None:
    lanes = [lane(f"l{n:03}", pending=n, dead=1) for n in range(60)] + [lane("other", pending=1000, hold="x")]
    page = paginate(lanes, LaneTableQuery(search="l0", rows=25, page=2, sort="location", descending=False), BUDGETS)
    assert [page.lanes[0].location_id, len(page.lanes), page.found, page.pages] == ["l025", 25, 60, 3]
    assert page.totals == {"pending": sum(range(60)), "in_flight": 0, "delivered": 0, "dead": 60, "held": 0}
    assert page.matching[LaneFilter.HELD] == 0
    assert paginate(lanes, LaneTableQuery(), BUDGETS).totals["held"] == 1


@pytest.mark.parametrize(("page", "shown"), [("1", 1), ("3", 3), ("4", 3), ("0", 1), ("-1", 1), ("x", 1), ("1e3", 1)])
def test_a_page_that_is_not_there_is_the_last_or_the_first(page: str, shown: int) -> None:
    lanes = [lane(f"l{n}") for n in range(60)]
    found = paginate(lanes, LaneTableQuery.parse({"page": page, "rows": "25"}), BUDGETS)
    assert found.query.page == shown


def test_no_lanes_are_one_empty_page() -> None:
    page = paginate([], LaneTableQuery(page=7), BUDGETS)
    assert (page.lanes, page.found, page.pages, page.query.page) == ((), 0, 1, 1)


@pytest.mark.parametrize(("rows", "taken"), [("25", 25), ("1", 25), ("999", 200), ("", 50), ("²", 50), ("9" * 99, 50)])
def test_a_page_has_25_to_200_rows(rows: str, taken: int) -> None:
    assert LaneTableQuery.parse({"rows": rows}).rows == taken


def test_a_click_on_a_header_sorts_and_another_reverses() -> None:
    first = LaneTableQuery(page=3).sorted_by("location")
    assert (first.sort, first.descending, first.page) == ("location", False, 1)
    assert first.sorted_by("location").descending
    assert first.sorted_by("dead").descending


@pytest.mark.parametrize(
    ("query", "query_string"),
    [
        (LaneTableQuery(), ""),
        (LaneTableQuery(search="a/b&c?<é>", show=LaneFilter.HELD), "search=a%2Fb%26c%3F%3C%C3%A9%3E&show=held"),
        (LaneTableQuery(sort="location", descending=True), "sort=location&direction=down"),
        (LaneTableQuery(sort="location", descending=False, page=2, rows=25), "sort=location&page=2&rows=25"),
        (LaneTableQuery(sort="pending", descending=False), "direction=up"),
    ],
)
def test_a_filter_survives_the_url(query: LaneTableQuery, query_string: str) -> None:
    assert query.query_string() == query_string
    assert LaneTableQuery.parse(dict(parse_qsl(query_string))) == query
