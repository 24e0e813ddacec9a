"""What the page of the dead letters shows of those that are known: tables."""

import math
from dataclasses import replace

import pytest

from lanes.letter_choice import Choice
from lanes.letter_groups import MOST_GROUPS, OTHER, group
from lanes.letter_summary import Summary
from lanes.letters import Span
from worker.dashboard.letter_views import WITHIN, Wanted, choice_of, chosen, cut, ordered, read_time, write_time

LETTER = Summary("a", "loc", "refused", 422, "BAD", "No contact c1234567890 here", 5.0, "shop", 1)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, Wanted()),
        ({"location": " loc ", "reason": "refused", "service": ""}, Wanted(Choice("loc", "refused"))),
        ({"status": "422"}, Wanted(Choice(status=422))),
        ({"status": "none", "code": "none"}, Wanted(Choice(status=0, code=""))),
        ({"message": "<b>&\"'"}, Wanted(Choice(message="<b>&\"'"))),
        ({"like": ""}, Wanted(Choice(like=""))),
        ({"like": " … x "}, Wanted(Choice(like=" … x "))),
        ({"from": "1970-01-01T00:01", "to": "1970-01-01T00:02:03"}, Wanted(since=60.0, until=123.0)),
        ({"within": "1h"}, Wanted(within="1h")),
        ({"view": "groups", "page": "3", "size": "100"}, Wanted(groups=True, page=3, size=100)),
        ({"sort": "attempts", "order": "up"}, Wanted(sort="attempts", down=False)),
        ({"page": "0"}, Wanted()),
    ],
)
def test_a_query_is_read_and_written(given: dict[str, str], wanted: Wanted) -> None:
    read = Wanted.read(given)
    assert (read, read.problems) == (wanted, ())
    assert Wanted.read(read.as_query()) == wanted


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
def test_what_is_not_understood_is_named_and_narrows_nothing(given: dict[str, str]) -> None:
    read = Wanted.read(given)
    assert [problem.split(":")[0] for problem in read.problems] == list(given)
    assert read == Wanted()


def test_times_are_in_utc_and_come_back() -> None:
    assert read_time("1970-01-02T00:00") == 86_400.0
    assert read_time("1970-01-02T02:00+02:00") == 86_400.0
    assert write_time(86_400.5) == "1970-01-02T00:00:00"


@pytest.mark.parametrize(
    ("wanted", "span"),
    [
        (Wanted(), Span(10_000.0)),
        (Wanted(since=5.0, until=7.0), Span(7.0, 5.0)),
        (Wanted(until=20_000.0), Span(10_000.0)),
        (Wanted(within="1h"), Span(10_000.0, 10_000.0 - WITHIN["1h"])),
        (Wanted(within="1h", since=9_000.0), Span(10_000.0, 9_000.0)),
    ],
)
def test_the_span_of_deaths(wanted: Wanted, span: Span) -> None:
    assert wanted.span(10_000.0) == span
    assert wanted.open_span(10_000.0).since == span.since


def test_a_span_without_an_end_is_the_same_a_moment_later() -> None:
    assert Wanted(within="1h").open_span(10_001.0) == Wanted(within="1h").open_span(10_004.9)
    assert Wanted().open_span(1.0) == Span(math.inf)


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
    part = cut(range(count), page, size)
    assert (len(part.shown), part.first, part.page, part.pages, part.total) == (shown, first, page_shown, pages, count)


def test_letters_are_chosen_and_sorted_the_newer_first_among_equals() -> None:
    known = [
        replace(LETTER, id="d", died_at=4.0, attempts=2),
        replace(LETTER, id="c", died_at=3.0),
        replace(LETTER, id="b", died_at=2.0, attempts=2, service=None),
        replace(LETTER, id="a", died_at=1.0, location_id="other"),
    ]

    def ids(letters: list[Summary]) -> str:
        return "".join(letter.id for letter in letters)

    assert ids(chosen(known, Choice(), Span(math.inf))) == "dcba"
    assert ids(chosen(known, Choice(location_id="loc"), Span(math.inf))) == "dcb"
    assert ids(chosen(known, Choice(location_id="loc"), Span(3.0, 2.0))) == "cb"
    assert ids(ordered(known, "died", down=True)) == "dcba"
    assert ids(ordered(known, "died", down=False)) == "abcd"
    assert ids(ordered(known, "attempts", down=True)) == "dbca"
    assert ids(ordered(known, "attempts", down=False)) == "cadb"
    assert ids(ordered(known, "service", down=False)) == "bdca"


def test_a_group_opens_its_letters_and_no_others() -> None:
    known = [
        LETTER,
        replace(LETTER, message="No contact c9999999999 here"),
        replace(LETTER, status=0),
        replace(LETTER, code=""),
        replace(LETTER, message=""),
        replace(LETTER, reason="exhausted"),
        replace(LETTER, message="No contact c9999999999 here and more"),
    ]
    wanted = Wanted(Choice(service="shop"))
    for each in group(known):
        choice = choice_of(each, wanted)
        assert choice is not None
        assert choice.service == "shop"
        link = Wanted.read(Wanted(choice).as_query()).choice
        assert len(chosen(known, link, Span(math.inf))) == each.count


def test_the_rest_of_many_messages_opens_nothing() -> None:
    known = [replace(LETTER, message=f"m{number}") for number in range(MOST_GROUPS + 1)]
    rest = next(each for each in group(known) if each.message == OTHER)
    assert choice_of(rest, Wanted()) is None


def test_the_trail_is_told_what_was_looked_for() -> None:
    assert str(Wanted(page=7, sort="status")) == "dead letters"
    assert str(Wanted(Choice("loc", status=0), within="1h")) == "dead letters with location loc, status none, within 1h"
