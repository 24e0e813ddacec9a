"""What a form or an editor makes of the body of a dead letter: tables."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lanes.queue.job import Job, State
from producers.dead_letter_edit import (
    Difference,
    apply_form,
    differences,
    field_names,
    form_value,
    new_job_with_body,
    parse_body,
)
from producers.errors import InvalidJobError

IDENTITY = {"pipelineId": "pipe", "locationId": "loc", "contactId": "contact"}
LETTER = Job(
    *("job", "loc", "pipe/contact", State.DEAD, 1, 1, 1.0, 2.0, None, None, None),
    *("refused", 0, None, "2021-07-28", IDENTITY, ()),
)
V3 = replace(LETTER, version="v3")


@pytest.mark.parametrize(
    ("body", "cells", "new"),
    [
        ({"name": "a"}, {"name": "a"}, {"name": "a"}),
        ({"name": ""}, {"name": ""}, {"name": ""}),
        ({"name": "a"}, {"name": ""}, {}),
        ({}, {"name": ""}, {}),
        ({}, {"name": "=1"}, {"name": "=1"}),
        ({"monetaryValue": 0.30000000000000004}, {"monetaryValue": "0.30000000000000004"}, None),
        ({"monetaryValue": 12}, {"monetaryValue": "12.50"}, {"monetaryValue": 12.5}),
        ({}, {"monetaryValue": "much"}, {"monetaryValue": "much"}),
        ({"followers": ["a", "b"]}, {"followers": "a;b"}, None),
        ({"followers": []}, {"followers": ";"}, None),
        ({"followers": ["a"]}, {"followers": "a; c"}, {"followers": ["a", "c"]}),
        ({"isRemoveAllFollowers": True}, {"isRemoveAllFollowers": "false"}, {"isRemoveAllFollowers": False}),
        ({"a": "1", "b": "2"}, {"a": "3"}, {"a": "3", "b": "2"}),
    ],
)
def test_a_form_changes_only_edited_fields(
    body: dict[str, Any], cells: dict[str, str], new: dict[str, Any] | None
) -> None:
    filled = apply_form(body, cells)
    assert filled == (body if new is None else new)
    assert list(filled)[: len(body)] == [name for name in body if name in filled]
    assert apply_form(body, {name: form_value(value) for name, value in body.items()}) == body


@pytest.mark.parametrize(
    ("letter", "text", "problem"),
    [
        (LETTER, "{", "is not JSON: Expecting property name"),
        (LETTER, '{"name": "a", "name": "b"}', "name: must be given only once"),
        (LETTER, "[]", "must be an object of named fields"),
        (LETTER, json.dumps({**IDENTITY, "_options": {}}), "_options: must not be in a body"),
        (LETTER, json.dumps({**IDENTITY, "statu": "won"}), "statu: no such field; did you mean status?"),
        (LETTER, json.dumps({**IDENTITY, "status": "won!"}), "status: should be 'open', 'won'"),
        (LETTER, json.dumps({**IDENTITY, "followers": []}), "v3 has it"),
        (LETTER, "{}", "pipelineId: is required"),
        (V3, json.dumps({**IDENTITY, "followers": "x"}), "followers"),
    ],
)
def test_invalid_body_fields_are_reported_by_name(letter: Job, text: str, problem: str) -> None:
    with pytest.raises(InvalidJobError) as caught:
        new_job_with_body(letter, parse_body(text))
    assert problem in str(caught.value)


def test_an_edit_is_checked_for_the_dead_letters_version() -> None:
    order = new_job_with_body(LETTER, {**IDENTITY, "name": "Ünal"})
    assert (order.id, order.record, order.version) == ("job", "pipe/contact", "2021-07-28")
    followers = {"followers": ["user"], "isRemoveAllFollowers": False, "followersActionType": "add"}
    assert new_job_with_body(V3, {"pipelineId": "pipe", "locationId": "loc", **followers}).version == "v3"
    assert field_names(LETTER)[:4] == ["pipelineId", "locationId", "contactId", "name"]
    assert "followers" in field_names(V3)


def test_differences_are_listed_by_field() -> None:
    old, new = {"a": 1, "b": "x", "c": None}, {"a": 1, "b": "y", "d": "\u202e"}
    assert list(differences(old, new)) == [
        Difference("b", '"x"', '"y"'),
        Difference("c", "null", None),
        Difference("d", None, '"\\u202e"'),
    ]
