"""Which letters a choice takes, and which groups they make: tables."""

from dataclasses import replace
from typing import Any

import pytest

from lanes import letter_groups
from lanes.job import Attempt, Reason
from lanes.letter import Letter
from lanes.letter_choice import Choice, choose
from lanes.letter_groups import OTHER, group
from lanes.letter_summary import Summary, shape_of, summarize
from lanes.order import Order
from tests.lanes.conftest import ClockedStore

LETTER = Summary("a", "loc", "refused", 422, "BAD", "No contact ocQHyuzHvysMo5N5VsXc here", 5.0, "shop", 1)
SILENT = replace(LETTER, id="b", status=0, code="", message="", service=None, died_at=3.0)


@pytest.mark.parametrize(
    ("choice", "takes"),
    [
        (Choice(), "ab"),
        (Choice(location_id="loc"), "ab"),
        (Choice(location_id="lo"), ""),
        (Choice(reason="refused"), "ab"),
        (Choice(reason="exhausted"), ""),
        (Choice(status=422), "a"),
        (Choice(status=0), "b"),
        (Choice(code="BAD"), "a"),
        (Choice(code=""), "b"),
        (Choice(service="shop"), "a"),
        (Choice(message="CONTACT"), "a"),
        (Choice(like="No contact … here"), "a"),
        (Choice(like="No contact"), ""),
        (Choice(like=""), "b"),
        (Choice(status=422, code=""), ""),
    ],
)
def test_a_choice_takes(choice: Choice, takes: str) -> None:
    assert "".join(letter.id for letter in (LETTER, SILENT) if choice.takes(letter)) == takes


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
    assert shape_of(message) == shape


def test_groups_count_what_died_of_the_same_in_any_order() -> None:
    others = [replace(LETTER, id=f"c{n}", location_id=f"l{n}", died_at=9.0 - n) for n in range(3)]
    first, second = group([LETTER, *others, SILENT])
    assert (first.count, first.places, first.oldest, first.newest, first.example) == (4, "4", 5.0, 9.0, "a")
    assert (second.count, second.status, second.code, second.message) == (1, 0, "", "")
    assert (second.as_json()["status"], second.as_json()["code"]) == (None, None)


def test_beyond_so_many_groups_the_rest_is_one_for_each_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter_groups, "MOST_GROUPS", 2)
    letters = [replace(LETTER, message=f"m{n}", reason="refused" if n < 4 else "exhausted") for n in range(6)]
    assert [(each.message, each.reason, each.count) for each in group(letters)] == [
        (OTHER, "refused", 2),
        (OTHER, "exhausted", 2),
        ("m0", "refused", 1),
        ("m1", "refused", 1),
    ]


def test_whatever_an_import_brought_has_a_summary_and_the_script_tells_the_same(store: ClockedStore) -> None:
    details: list[dict[str, Any]] = [
        {"status": 422, "message": ["x", 3], "code": {"a": 1}},
        {"message": {"deep": [1]}, "code": 7},
        {"status": None, "message": "half \ud800"},
    ]
    letters = [
        Letter(Order(f"job{n}", "loc", f"p/{n}", b"{}", service="shop"), Reason.EXHAUSTED, 1.0, 2.5, attempts)
        for n, attempts in enumerate([(), *((Attempt(1, "retry", 1.0, 2.0, detail),) for detail in details)])
    ]
    for letter in letters:
        store.restore(letter)
    found = [summarize(job) for job in choose(store, Choice(service="shop"))]
    assert [(each.status, each.code, each.message, each.attempts) for each in found] == [
        (0, "", "", 0),
        (422, '{"a": 1}', "x; 3", 1),
        (0, "7", "{'deep': [1]}", 1),
        (0, "", "half ?", 1),
    ]
    assert [each.count for each in group(found)] == [1, 1, 1, 1]
    store.replay("job3")
    assert store.summarize(["job0", "job1", "job2", "job3", "gone"]) == [*found[:3], None, None]


def test_a_summary_says_why_in_a_printable_line() -> None:
    bad = replace(LETTER, message="\x1b[31m<b>\u202e")
    assert bad.why == "the API refused it; the last attempt came to: 422 \\x1b[31m<b>\\u202e"
    assert replace(SILENT, reason="expired").why == "its expires_at passed before it was delivered"
