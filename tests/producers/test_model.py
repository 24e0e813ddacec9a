"""The body of an upsert: what is taken, what is sent, and what is said of the rest."""

import json
from collections import UserDict
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from producers import UpsertOpportunity
from producers.model import check, shorten
from tests.producers.conftest import OK, problems_of

# Python's name, the API's name, a value.
FIELDS = [
    ("pipeline_id", "pipelineId", "Pipe-1_a"),
    ("location_id", "locationId", "l"),
    ("contact_id", "contactId", "9"),
    ("name", "name", 'Zoë "Deal" €'),
    ("status", "status", "won"),
    ("pipeline_stage_id", "pipelineStageId", "s" * 64),
    ("monetary_value", "monetaryValue", 12.5),
    ("assigned_to", "assignedTo", "user"),
]
IDS = [api for python, api, _ in FIELDS if python.endswith("_id") or python == "assigned_to"]
REQUIRED = ["pipelineId", "locationId", "contactId"]
STATUSES = ["open", "won", "lost", "abandoned", "all"]


def sent(**fields: object) -> dict[str, Any]:
    found = json.loads(check(UpsertOpportunity, {**OK, **fields}).to_json())
    assert isinstance(found, dict)
    return found


def test_python_names_and_api_names_are_the_same_body() -> None:
    by_python = check(UpsertOpportunity, {python: value for python, _, value in FIELDS})
    by_api = check(UpsertOpportunity, {api: value for _, api, value in FIELDS})
    assert by_python == by_api == UpsertOpportunity(**{python: value for python, _, value in FIELDS})  # type: ignore[arg-type]
    assert json.loads(by_python.to_json()) == {api: value for _, api, value in FIELDS}
    assert {python for python, _, _ in FIELDS} == set(UpsertOpportunity.model_fields)


def test_only_what_was_set_is_sent() -> None:
    assert check(UpsertOpportunity, OK).to_json() == b'{"pipelineId":"pipe","locationId":"loc","contactId":"contact"}'
    unset = {api: None for _, api, _ in FIELDS if api not in REQUIRED}
    assert sent(**unset) == OK
    assert sent(name="") == {**OK, "name": ""}
    assert sent(monetaryValue=0) == {**OK, "monetaryValue": 0}


def test_the_body_is_utf_8_and_its_control_characters_are_escaped() -> None:
    body = check(UpsertOpportunity, {**OK, "name": "Zoë\n\0\u2028😀"}).to_json()
    assert "Zoë" in body.decode()
    assert b"\n" not in body
    assert b"\0" not in body
    assert json.loads(body)["name"] == "Zoë\n\0\u2028😀"


@pytest.mark.parametrize("make", [dict, MappingProxyType, UserDict], ids=lambda make: str(make.__name__))
def test_any_mapping_will_do(make: Any) -> None:
    assert check(UpsertOpportunity, make(OK)) == check(UpsertOpportunity, OK)


def test_the_record_is_pipeline_and_contact() -> None:
    opportunity = check(UpsertOpportunity, {**OK, "name": "n"})
    assert opportunity.record == "pipe/contact"


def test_a_body_cannot_be_changed_after_it_was_checked() -> None:
    opportunity = check(UpsertOpportunity, OK)
    with pytest.raises(ValidationError):
        opportunity.contact_id = "not an id"  # type: ignore[misc]
    assert opportunity.contact_id == "contact"


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_of_the_api(status: str) -> None:
    assert sent(status=status)["status"] == status


@pytest.mark.parametrize("status", ["", "Open", "OPEN", "opened", "won ", 1, True, ["open"], b"open"])
def test_no_other_status(status: object) -> None:
    known = "'open', 'won', 'lost', 'abandoned' or 'all'"
    assert problems_of(UpsertOpportunity, {**OK, "status": status}) == [
        f"status: should be {known} (it is {shorten(status)})"
    ]


# What is given, what stands in the body.
VALUES: list[tuple[object, str]] = [
    (0, "0"),
    (-0.0, "0"),
    (1200, "1200"),
    (1200.0, "1200"),
    (-1200.0, "-1200"),
    (12.5, "12.5"),
    (0.1, "0.1"),
    (1234567.89, "1234567.89"),
    (2**53, "9007199254740992"),
    (-(2**53), "-9007199254740992"),
    (2.0**53, "9007199254740992"),
    (2**53 - 1, "9007199254740991"),
    (Decimal("12.50"), "12.5"),
    (Decimal("1234567.89"), "1234567.89"),
    (Decimal(1200), "1200"),
]


@pytest.mark.parametrize(("value", "written"), VALUES)
def test_a_number_is_written_exactly_and_whole_ones_without_a_point(value: object, written: str) -> None:
    body = check(UpsertOpportunity, {**OK, "monetaryValue": value}).to_json()
    assert body.endswith(f'"monetaryValue":{written}}}'.encode())


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_every_number_comes_back_as_it_was_given(value: float) -> None:
    assert sent(monetaryValue=value)["monetaryValue"] == value


@pytest.mark.parametrize(
    ("value", "reported"),
    [
        (float("nan"), "should be a finite number (it is nan)"),
        (float("inf"), "should be a finite number (it is inf)"),
        (float("-inf"), "should be a finite number (it is -inf)"),
        (True, "should be a valid number (it is True)"),
        (False, "should be a valid number (it is False)"),
        ("12", "should be a valid number (it is '12')"),
        ("", "should be a valid number (it is '')"),
        (b"12", "should be a valid number (it is b'12')"),
        ([12], "should be a valid number (it is [12])"),
        (12 + 0j, "should be a valid number (it is (12+0j))"),
        (2**53 + 1, "must be between -2**53 and 2**53, where numbers are exact (it is 9007199254740993)"),
        (-(2**53) - 1, "must be between -2**53 and 2**53, where numbers are exact (it is -9007199254740993)"),
        (10**400, f"must be between -2**53 and 2**53, where numbers are exact (it is 1{'0' * 58}…)"),
        (10**5000, "must be between -2**53 and 2**53, where numbers are exact (it is int too large to show)"),
        (Decimal("NaN"), "should be a finite number (it is NaN)"),
        (Decimal("sNaN"), "should be a valid number (it is sNaN)"),
        (Decimal("Infinity"), "should be a finite number (it is Infinity)"),
        (
            Decimal(2**53 + 1),
            "must have no more digits than a number in JSON keeps, about 15 (it is 9007199254740993)",
        ),
        (
            Decimal("0.12345678901234567890"),
            "must have no more digits than a number in JSON keeps, about 15 (it is 0.12345678901234567890)",
        ),
    ],
    ids=lambda value: shorten(value)[:20],
)
def test_what_is_no_exact_finite_number_is_refused(value: object, reported: str) -> None:
    assert problems_of(UpsertOpportunity, {**OK, "monetaryValue": value}) == [f"monetaryValue: {reported}"]


@pytest.mark.parametrize("field", IDS)
@pytest.mark.parametrize(
    "value", ["", " ", "a b", "a\n", "\na", "a/b", "a:b", "{a}", "é", "٣", "a\0", "a" * 65, "a.b"], ids=repr
)
def test_an_id_is_letters_digits_dashes_and_underscores(field: str, value: str) -> None:
    assert problems_of(UpsertOpportunity, {**OK, field: value}) == [
        f"{field}: must be 1 to 64 letters, digits, - or _ (it is {shorten(value)})"
    ]


@pytest.mark.parametrize("field", IDS)
@pytest.mark.parametrize("value", [7, True, b"id", ["id"], {"id": "id"}, 1.5], ids=repr)
def test_an_id_is_text(field: str, value: object) -> None:
    assert problems_of(UpsertOpportunity, {**OK, field: value}) == [
        f"{field}: should be a valid string (it is {shorten(value)})"
    ]


@pytest.mark.parametrize("field", REQUIRED)
def test_a_field_that_is_required(field: str) -> None:
    without = {name: value for name, value in OK.items() if name != field}
    assert problems_of(UpsertOpportunity, without) == [f"{field}: is required"]
    assert problems_of(UpsertOpportunity, {**OK, field: None}) == [f"{field}: should be a valid string (it is None)"]


def test_a_name_has_at_most_2048_characters() -> None:
    assert len(sent(name="é" * 2048)["name"]) == 2048
    (reported,) = problems_of(UpsertOpportunity, {**OK, "name": "n" * 2049})
    assert reported == f"name: should have at most 2048 characters (it is '{'n' * 58}…)"


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("pipelineid", "pipelineId"),
        ("contctId", "contactId"),
        ("monetaryvalue", "monetaryValue"),
        ("assigned", "assignedTo"),
        ("Name", "name"),
        ("stageId", None),
        ("customFields", None),
    ],
)
def test_an_unknown_field_is_named_and_the_likely_one_too(field: str, meant: str | None) -> None:
    (reported,) = problems_of(UpsertOpportunity, {**OK, field: "x"})
    if meant is None:
        assert reported.startswith(f"{field}: no such field; ")
        assert all(api in reported for _, api, _ in FIELDS) or "did you mean" in reported
    else:
        assert reported == f"{field}: no such field; did you mean {meant}?"


def test_a_field_by_both_of_its_names_is_refused() -> None:
    assert problems_of(UpsertOpportunity, {**OK, "contact_id": "other"}) == [
        "contact_id: is also given as contactId: keep one of the two"
    ]


def test_every_problem_is_reported_at_once() -> None:
    reported = problems_of(UpsertOpportunity, {"pipelineId": "a b", "status": "opened", "monetaryValue": "1", "x": 1})
    assert [line.split(":")[0] for line in reported] == [
        *("pipelineId", "locationId", "contactId"),
        *("status", "monetaryValue", "x"),
    ]
