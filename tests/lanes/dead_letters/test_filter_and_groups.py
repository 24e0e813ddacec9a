"""Which dead letters a filter matches, and their groups: tables."""

from dataclasses import replace
from typing import Any

import pytest

from lanes.dead_letters import groups
from lanes.dead_letters.filter import DeadLetterFilter, find_dead_letters
from lanes.dead_letters.groups import OTHER, group_by_error
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.dead_letter_summary import DeadLetterSummary, message_pattern_of, summarize
from lanes.queue.job import Attempt, Reason
from lanes.queue.new_job import NewJob
from tests.lanes.conftest import ClockedStore

DEAD_LETTER = DeadLetterSummary(
    "a", "loc", "refused", 422, "BAD", "No contact ocQHyuzHvysMo5N5VsXc here", 5.0, "shop", 1
)
SILENT = replace(DEAD_LETTER, id="b", status=0, code="", message="", service=None, failed_at=3.0)


@pytest.mark.parametrize(
    ("dead_letter_filter", "takes"),
    [
        (DeadLetterFilter(), "ab"),
        (DeadLetterFilter(location_id="loc"), "ab"),
        (DeadLetterFilter(location_id="lo"), ""),
        (DeadLetterFilter(reason="refused"), "ab"),
        (DeadLetterFilter(reason="exhausted"), ""),
        (DeadLetterFilter(status=422), "a"),
        (DeadLetterFilter(status=0), "b"),
        (DeadLetterFilter(code="BAD"), "a"),
        (DeadLetterFilter(code=""), "b"),
        (DeadLetterFilter(service="shop"), "a"),
        (DeadLetterFilter(message="CONTACT"), "a"),
        (DeadLetterFilter(message_pattern="No contact … here"), "a"),
        (DeadLetterFilter(message_pattern="No contact"), ""),
        (DeadLetterFilter(message_pattern=""), "b"),
        (DeadLetterFilter(status=422, code=""), ""),
    ],
)
def test_what_a_filter_selects(dead_letter_filter: DeadLetterFilter, takes: str) -> None:
    assert (
        "".join(dead_letter.id for dead_letter in (DEAD_LETTER, SILENT) if dead_letter_filter.matches(dead_letter))
        == takes
    )


@pytest.mark.parametrize(
    ("message", "shape"),
    [
        ("No contact ocQHyuzHvysMo5N5VsXc here", "No contact … here"),
        ("The pipeline id is invalid.", "The pipeline id is invalid."),
        ("12345 is short, 1234567890 is not", "12345 is short, … is not"),
        ("", ""),
    ],
)
def test_the_shape_of_a_message_is_what_is_left_without_ids(message: str, shape: str) -> None:
    assert message_pattern_of(message) == shape


def test_groups_count_equal_errors_in_any_order() -> None:
    others = [replace(DEAD_LETTER, id=f"c{n}", location_id=f"l{n}", failed_at=9.0 - n) for n in range(3)]
    first, second = group_by_error([DEAD_LETTER, *others, SILENT])
    assert (first.count, first.location_count, first.oldest, first.newest, first.example) == (4, "4", 5.0, 9.0, "a")
    assert (second.count, second.status, second.code, second.message) == (1, 0, "", "")
    assert (second.as_json()["status"], second.as_json()["code"]) == (None, None)


def test_beyond_so_many_groups_the_rest_is_one_for_each_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MAX_GROUPS", 2)
    dead_letters = [replace(DEAD_LETTER, message=f"m{n}", reason="refused" if n < 4 else "exhausted") for n in range(6)]
    assert [(each.message, each.reason, each.count) for each in group_by_error(dead_letters)] == [
        (OTHER, "refused", 2),
        (OTHER, "exhausted", 2),
        ("m0", "refused", 1),
        ("m1", "refused", 1),
    ]


def test_any_imported_dead_letter_has_a_summary_and_the_script_agrees(store: ClockedStore) -> None:
    details: list[dict[str, Any]] = [
        {"status": 422, "message": ["x", 3], "code": {"a": 1}},
        {"message": {"deep": [1]}, "code": 7},
        {"status": None, "message": "half \ud800"},
    ]
    dead_letters = [
        DeadLetter(NewJob(f"job{n}", "loc", f"p/{n}", b"{}", service="shop"), Reason.EXHAUSTED, 1.0, 2.5, attempts)
        for n, attempts in enumerate([(), *((Attempt(1, "retry", 1.0, 2.0, detail),) for detail in details)])
    ]
    for dead_letter in dead_letters:
        store.restore(dead_letter)
    found = [summarize(job) for job in find_dead_letters(store, DeadLetterFilter(service="shop"))]
    assert [(each.status, each.code, each.message, each.attempts) for each in found] == [
        (0, "", "", 0),
        (422, '{"a": 1}', "x; 3", 1),
        (0, "7", "{'deep': [1]}", 1),
        (0, "", "half ?", 1),
    ]
    assert [each.count for each in group_by_error(found)] == [1, 1, 1, 1]
    store.replay("job3")
    assert store.summarize(["job0", "job1", "job2", "job3", "gone"]) == [*found[:3], None, None]


def test_a_summary_says_why_in_a_printable_line() -> None:
    bad = replace(DEAD_LETTER, message="\x1b[31m<b>\u202e")
    assert bad.why == "the API refused it; the last answer: 422 \\x1b[31m<b>\\u202e"
    assert replace(SILENT, reason="expired").why == "its expires_at passed before it was delivered"
