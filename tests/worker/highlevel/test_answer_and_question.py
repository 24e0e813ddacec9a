"""An answer is held against the upsert that was sent: one that speaks of another is not its own."""

import json

import pytest

from worker.highlevel.outcomes import Answer, Outcome, OutcomeKind, classify

SENT = {"pipelineId": "pipe", "locationId": "loc", "contactId": "contact"}
V3 = {"id": "opp", "pipelineId": "pipe", "locationId": "loc", "followers": []}
ANSWERED = {"id": "opp", **SENT}


def outcome(sent: object, answered: object, **more: object) -> Outcome:
    body = json.dumps({"opportunity": answered, "new": False, **more}).encode()
    return classify(Answer(200, {}, body), 10, sent if isinstance(sent, bytes) else json.dumps(sent).encode())


@pytest.mark.parametrize(
    ("sent", "answered", "field"),
    [
        (SENT, {**ANSWERED, "locationId": "loc-2"}, "locationId"),
        (SENT, {**ANSWERED, "pipelineId": "pipe-2"}, "pipelineId"),
        (SENT, {**ANSWERED, "locationId": "LOC"}, "locationId"),
        (SENT, {**ANSWERED, "locationId": "loc-2", "contactId": "contact-2"}, "locationId"),
        (V3, {**ANSWERED, "id": "opp-2"}, "id"),
        (V3, {**ANSWERED, "pipelineId": "pipe-2"}, "pipelineId"),
    ],
)
def test_an_answer_to_another_upsert_confirms_nothing(
    sent: dict[str, object], answered: dict[str, object], field: str
) -> None:
    found = outcome(sent, answered)
    assert (found.kind, found.in_doubt) == (OutcomeKind.UNCONFIRMED, True)
    assert found.message == f"HTTP 200 names another {field} than was sent"
    assert found.opportunity_id is None


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (SENT, ANSWERED),
        (SENT, {"id": "opp"}),
        (SENT, {"id": "any", **SENT}),  # an upsert without an id takes what it is given
        (SENT, {**ANSWERED, "locationId": None, "pipelineId": None, "contactId": None}),
        (SENT, {**ANSWERED, "locationId": "", "pipelineId": 7, "contactId": ["c"]}),
        (V3, ANSWERED),
        (V3, {"id": "opp"}),
        ({**V3, "id": None}, {**ANSWERED, "id": "opp-2"}),
        (b"", {**ANSWERED, "locationId": "loc-2"}),
        (b"not json", {**ANSWERED, "locationId": "loc-2"}),
        (b"[]", {**ANSWERED, "locationId": "loc-2"}),
    ],
)
def test_what_is_missing_says_nothing(sent: object, answered: dict[str, object]) -> None:
    found = outcome(sent, answered)
    assert (found.kind, found.warning, found.other_contact) == (OutcomeKind.DELIVERED, None, False)


def test_another_contact_is_a_warning_since_contacts_get_merged() -> None:
    found = outcome(SENT, {**ANSWERED, "contactId": "contact-2"})
    assert (found.kind, found.opportunity_id, found.other_contact) == (OutcomeKind.DELIVERED, "opp", True)
    assert found.warning == "the answer names another contact than was sent: contacts get merged"


def test_both_warnings_are_returned() -> None:
    found = outcome(SENT, {**ANSWERED, "contactId": "contact-2"}, new="yes")
    assert found.warning == (
        "the answer does not hold the promised body; "
        "the answer names another contact than was sent: contacts get merged"
    )


def test_an_explicit_failure_goes_before_the_comparison() -> None:
    found = outcome(SENT, {**ANSWERED, "locationId": "loc-2"}, success=False, message="no")
    assert (found.kind, found.message) == (OutcomeKind.REFUSED, "no")


def test_half_an_answer_is_not_read_even_if_it_looks_whole() -> None:
    for said in ({"opportunity": ANSWERED, "new": True}, {"success": False}):
        found = classify(Answer(200, {}, json.dumps(said).encode(), cut=True), 10)
        assert (found.kind, found.message) == (OutcomeKind.UNCONFIRMED, "HTTP 200 with a body that was cut off")


@pytest.mark.parametrize(
    "message",
    [
        ["property contactId should not exist"],
        ["name must be a string", "property contactId should not exist"],
        "property contactId should not exist",
        ["followers must be an array"],
        ["isRemoveAllFollowers should not be empty", "isRemoveAllFollowers must be a boolean value"],
        ["followersActionType must be one of the following values: add, remove"],
        ["each value in followers must be a string"],
    ],
)
def test_a_refusal_that_names_fields_of_the_other_published_body_is_recognized(message: object) -> None:
    body = json.dumps({"statusCode": 422, "message": message}).encode()
    found = classify(Answer(422, {}, body), 10, json.dumps(SENT).encode())
    assert found.kind is OutcomeKind.REFUSED
    assert found.warning == (
        "the API asks for the other published body of 2021-07-28, with follower fields instead of contactId"
    )


@pytest.mark.parametrize(
    ("status", "message", "sent"),
    [
        (422, ["property assignedTo should not exist"], SENT),
        (422, ["contactId must be a string"], SENT),
        (422, ["contactId should not be empty"], SENT),
        (422, ["followers must be an array"], {**V3, "contactId": None}),
        (422, ["followers must be an array"], V3),
        (422, ["property contactId should not exist"], V3),
        (422, "no contact follows this", SENT),
        (400, ["property contactId should not exist"], SENT),
        (422, ["property contactId should not exist"], b""),
    ],
)
def test_any_other_refusal_is_not_recognized_as_that(status: int, message: object, sent: object) -> None:
    body = json.dumps({"statusCode": status, "message": message}).encode()
    raw = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    assert classify(Answer(status, {}, body), 10, raw).warning is None
