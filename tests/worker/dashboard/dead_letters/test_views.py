"""What the page of the dead letters shows of those that are known: tables."""

import math
from dataclasses import replace

import pytest

from lanes.dead_letters.filter import DeadLetterFilter
from lanes.dead_letters.groups import MAX_GROUPS, OTHER, group_by_error
from lanes.dead_letters.operations import TimeRange
from lanes.queue.dead_letter_summary import DeadLetterSummary
from worker.dashboard.dead_letters.query import (
    PERIODS,
    DeadLetterQuery,
    filter_of_group,
    paginate,
    read_time,
    select_dead_letters,
    sort_dead_letters,
    write_time,
)

LETTER = DeadLetterSummary("a", "loc", "refused", 422, "BAD", "No contact c1234567890 here", 5.0, "shop", 1)


@pytest.mark.parametrize(
    ("given", "expected_query"),
    [
        ({}, DeadLetterQuery()),
        (
            {"location": " loc ", "reason": "refused", "service": ""},
            DeadLetterQuery(DeadLetterFilter("loc", "refused")),
        ),
        ({"status": "422"}, DeadLetterQuery(DeadLetterFilter(status=422))),
        ({"status": "none", "code": "none"}, DeadLetterQuery(DeadLetterFilter(status=0, code=""))),
        ({"message": "<b>&\"'"}, DeadLetterQuery(DeadLetterFilter(message="<b>&\"'"))),
        ({"message_pattern": ""}, DeadLetterQuery(DeadLetterFilter(message_pattern=""))),
        ({"message_pattern": " … x "}, DeadLetterQuery(DeadLetterFilter(message_pattern=" … x "))),
        ({"from": "1970-01-01T00:01", "to": "1970-01-01T00:02:03"}, DeadLetterQuery(since=60.0, until=123.0)),
        ({"within": "1h"}, DeadLetterQuery(within="1h")),
        ({"view": "groups", "page": "3", "size": "100"}, DeadLetterQuery(groups=True, page=3, size=100)),
        ({"sort": "attempts", "order": "up"}, DeadLetterQuery(sort="attempts", descending=False)),
        ({"page": "0"}, DeadLetterQuery()),
    ],
)
def test_a_filter_is_read_and_written(given: dict[str, str], expected_query: DeadLetterQuery) -> None:
    read = DeadLetterQuery.read(given)
    assert (read, read.problems) == (expected_query, ())
    assert DeadLetterQuery.read(read.as_query()) == expected_query


@pytest.mark.parametrize(
    "given",
    [
        {"reason": "purged"},
        {"status": "4xx"},
        {"status": "600"},
        {"status": "²"},
        {"from": "yesterday"},
        {"from": "0001-01-01T00:00:00+14:00"},  # before the first year, in UTC
        {"to": "9999-12-31T23:59:59-14:00"},
        {"to": "9999-12-31T23:59:59.999999"},  # which a float rounds up
        {"within": "2h"},
        {"sort": "body"},
        {"order": "sideways"},
        {"page": "-1"},
        {"page": "9" * 5000},
        {"size": "100000"},
    ],
)
def test_an_invalid_filter_is_named_and_ignored(given: dict[str, str]) -> None:
    read = DeadLetterQuery.read(given)
    assert [problem.split(":")[0] for problem in read.problems] == list(given)
    assert read == DeadLetterQuery()


def test_times_are_in_utc_and_come_back() -> None:
    assert read_time("1970-01-02T00:00") == 86_400.0
    assert read_time("1970-01-02T02:00+02:00") == 86_400.0
    assert write_time(86_400.5) == "1970-01-02T00:00:00"


@pytest.mark.parametrize(
    ("expected_query", "time_range"),
    [
        (DeadLetterQuery(), TimeRange(10_000.0)),
        (DeadLetterQuery(since=5.0, until=7.0), TimeRange(7.0, 5.0)),
        (DeadLetterQuery(until=20_000.0), TimeRange(10_000.0)),
        (DeadLetterQuery(within="1h"), TimeRange(10_000.0, 10_000.0 - PERIODS["1h"])),
        (DeadLetterQuery(within="1h", since=9_000.0), TimeRange(10_000.0, 9_000.0)),
    ],
)
def test_the_time_range_of_dead_letters(expected_query: DeadLetterQuery, time_range: TimeRange) -> None:
    assert expected_query.time_range(10_000.0) == time_range
    assert expected_query.open_span(10_000.0).since == time_range.since


def test_a_time_range_without_an_end_is_the_same_a_moment_later() -> None:
    assert DeadLetterQuery(within="1h").open_span(10_001.0) == DeadLetterQuery(within="1h").open_span(10_004.9)
    assert DeadLetterQuery().open_span(1.0) == TimeRange(math.inf)


@pytest.mark.parametrize(
    ("count", "page", "size", "shown", "first", "page_shown", "pages"),
    [
        (0, 1, 50, 0, 1, 1, 1),
        (50, 1, 50, 50, 1, 1, 1),
        (51, 2, 50, 1, 51, 2, 2),
        (51, 9, 50, 1, 51, 2, 2),
        (120, 2, 50, 50, 51, 2, 3),
    ],
)
def test_a_page_is_cut(count: int, page: int, size: int, shown: int, first: int, page_shown: int, pages: int) -> None:  # noqa: PLR0917 - a table
    part = paginate(range(count), page, size)
    assert (len(part.shown), part.first, part.page, part.pages, part.total) == (shown, first, page_shown, pages, count)


def test_dead_letters_are_filtered_and_sorted_the_newer_first_among_equals() -> None:
    known = [
        replace(LETTER, id="d", failed_at=4.0, attempts=2),
        replace(LETTER, id="c", failed_at=3.0),
        replace(LETTER, id="b", failed_at=2.0, attempts=2, service=None),
        replace(LETTER, id="a", failed_at=1.0, location_id="other"),
    ]

    def ids(letters: list[DeadLetterSummary]) -> str:
        return "".join(letter.id for letter in letters)

    assert ids(select_dead_letters(known, DeadLetterFilter(), TimeRange(math.inf))) == "dcba"
    assert ids(select_dead_letters(known, DeadLetterFilter(location_id="loc"), TimeRange(math.inf))) == "dcb"
    assert ids(select_dead_letters(known, DeadLetterFilter(location_id="loc"), TimeRange(3.0, 2.0))) == "cb"
    assert ids(sort_dead_letters(known, "failed_at", descending=True)) == "dcba"
    assert ids(sort_dead_letters(known, "failed_at", descending=False)) == "abcd"
    assert ids(sort_dead_letters(known, "attempts", descending=True)) == "dbca"
    assert ids(sort_dead_letters(known, "attempts", descending=False)) == "cadb"
    assert ids(sort_dead_letters(known, "service", descending=False)) == "bdca"


def test_a_group_selects_exactly_its_dead_letters() -> None:
    known = [
        LETTER,
        replace(LETTER, message="No contact c9999999999 here"),
        replace(LETTER, status=0),
        replace(LETTER, code=""),
        replace(LETTER, message=""),
        replace(LETTER, reason="exhausted"),
        replace(LETTER, message="No contact c9999999999 here and more"),
    ]
    expected_query = DeadLetterQuery(DeadLetterFilter(service="shop"))
    for each in group_by_error(known):
        dead_letter_filter = filter_of_group(each, expected_query)
        assert dead_letter_filter is not None
        assert dead_letter_filter.service == "shop"
        link = DeadLetterQuery.read(DeadLetterQuery(dead_letter_filter).as_query()).dead_letter_filter
        assert len(select_dead_letters(known, link, TimeRange(math.inf))) == each.count


def test_the_group_of_other_messages_has_no_link() -> None:
    known = [replace(LETTER, message=f"m{number}") for number in range(MAX_GROUPS + 1)]
    rest = next(each for each in group_by_error(known) if each.message == OTHER)
    assert filter_of_group(rest, DeadLetterQuery()) is None


def test_the_audit_log_names_the_filter() -> None:
    assert str(DeadLetterQuery(page=7, sort="status")) == "dead letters"
    assert (
        str(DeadLetterQuery(DeadLetterFilter("loc", status=0), within="1h"))
        == "dead letters with location loc, status none, within 1h"
    )
