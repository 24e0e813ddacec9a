"""From a service's input to a `NewJob`: which options count, and which bodies are the same."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lanes.queue.new_job import NewJob
from producers import EnqueueOptions, InvalidJobError, UpsertOpportunity
from producers.new_job import make_new_job
from tests.producers.conftest import OK

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
KEY = {"idempotency_key": "key"}


def problems_of(opportunity: object, options: Any = None) -> list[str]:
    with pytest.raises(InvalidJobError) as caught:
        make_new_job(opportunity, options)
    return [str(problem) for problem in caught.value.field_errors]


def test_a_new_job_holds_what_was_given() -> None:
    order = make_new_job(
        {**OK, "monetary_value": 12.0},
        {"not_before": NOON, "expires_at": NOON + timedelta(hours=1), "service": "billing", **KEY},
    )
    assert (order.location_id, order.record) == ("loc", "pipe/contact")
    assert json.loads(order.body) == {**OK, "monetaryValue": 12}
    assert (order.not_before, order.expires_at) == (NOON.timestamp(), NOON.timestamp() + 3600)
    assert (order.service, order.idempotency_key) == ("billing", "key")


def test_a_model_and_a_mapping_make_the_same_new_job() -> None:
    model = UpsertOpportunity(pipeline_id="pipe", location_id="loc", contact_id="contact", name="n")
    by_model, by_mapping = (
        make_new_job(model, KEY),
        make_new_job({**OK, "name": "n"}, EnqueueOptions(idempotency_key="key")),
    )
    assert by_model.body == by_mapping.body
    assert by_model.fingerprint == by_mapping.fingerprint


def test_ids_are_unique_unless_given() -> None:
    ids = {make_new_job(OK).id for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"\w{20}", job_id) for job_id in ids)
    assert make_new_job(OK, job_id="mine").id == "mine"


@pytest.mark.parametrize(
    "beside", [{"service": "common", **KEY}, EnqueueOptions(service="common", **KEY)], ids=["dict", "model"]
)
@pytest.mark.parametrize(
    ("own", "service", "key"),
    [
        ({}, "common", "key"),
        (None, "common", "key"),
        ({"service": "own"}, "own", "key"),
        ({"idempotency_key": "mine"}, "common", "mine"),
        ({"service": "own", "idempotency_key": "mine"}, "own", "mine"),
        ({"idempotency_key": None}, "common", None),
        (EnqueueOptions(service="own"), "own", "key"),
    ],
)
def test_the_options_of_a_row_go_before_those_beside_it(
    beside: EnqueueOptions | Mapping[str, Any], own: object, service: str, key: str | None
) -> None:
    row = {**OK, "_options": own}
    order = make_new_job(row, beside)
    assert (order.service, order.idempotency_key) == (service, key)
    assert row == {**OK, "_options": own}
    assert json.loads(order.body) == OK


@pytest.mark.parametrize(
    ("options", "service"),
    [(None, "default"), ({}, "default"), ({"service": None}, "default"), ({"service": "own"}, "own")],
)
def test_the_service_of_the_settings_counts_where_none_is_named(options: Any, service: str) -> None:
    assert make_new_job(OK, options, service="default").service == service
    assert make_new_job({**OK, "_options": options}, service="default").service == service
    assert make_new_job(OK, None).service is None


def test_not_before_and_expires_at_from_row_and_call_are_checked_together() -> None:
    beside = EnqueueOptions(not_before=NOON)
    assert problems_of({**OK, "_options": {"expires_at": NOON}}, beside) == [
        f"_options.expires_at: must be later than not_before (it is {NOON})"
    ]
    later = {"expires_at": NOON + timedelta(microseconds=1)}
    assert make_new_job({**OK, "_options": later}, beside).not_before == NOON.timestamp()


def test_a_naive_time_is_refused() -> None:
    naive = NOON.replace(tzinfo=None)
    for name in ("not_before", "expires_at"):
        for reported in (problems_of(OK, {name: naive}), problems_of({**OK, "_options": {name: naive}})):
            assert reported == [
                f"_options.{name}: must be a time with a zone, like 2026-05-01T09:00:00Z (it is {naive})"
            ]


def test_the_same_moment_in_another_zone_is_the_same() -> None:
    orders = [make_new_job(OK, {"not_before": text}) for text in ("2030-01-01T12:00:00Z", "2030-01-01T17:30:00+05:30")]
    assert {order.not_before for order in orders} == {NOON.timestamp()}


@pytest.mark.parametrize("options", [[], "k", 7, True, [("service", "x")]], ids=repr)
def test_options_that_are_no_options_are_refused(options: object) -> None:
    for reported in (problems_of(OK, options), problems_of({**OK, "_options": options}, KEY)):
        assert reported == [f"_options: must be an object of named fields (it is {options!r})"]


def test_the_problems_of_body_and_options_are_reported_together() -> None:
    reported = problems_of({**OK, "status": "opened", "_options": {"servic": "x"}})
    assert [line.split(":")[0] for line in reported] == ["status", "_options.servic"]


def test_a_model_that_was_changed_past_its_checks_is_checked_again() -> None:
    model = UpsertOpportunity(pipeline_id="pipe", location_id="loc", contact_id="contact")
    changed = model.model_copy(update={"contact_id": "a b", "monetary_value": float("nan"), "extra": 1})
    assert [line.split(":")[0] for line in problems_of(changed)] == ["contact_id", "monetary_value", "extra"]
    assert make_new_job(model.model_copy(update={"contact_id": "other"})).record == "pipe/other"


def test_a_body_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(make_new_job({**OK, "name": "é\0"}).body)
    monkeypatch.setattr("producers.new_job.MAX_BODY_BYTES", size)
    assert len(make_new_job({**OK, "name": "é\0"}).body) == size
    assert problems_of({**OK, "name": "é\0n"}) == [f"must be at most {size} bytes (it is '{size + 1} bytes')"]


def fingerprint(**fields: object) -> str:
    order: NewJob = make_new_job(fields, KEY)
    return order.fingerprint


def test_the_same_content_has_the_same_fingerprint() -> None:
    first = fingerprint(**OK, name="é", monetaryValue=1200)
    assert first
    for same in (
        dict(reversed({**OK, "name": "é", "monetaryValue": 1200}.items())),
        {**OK, "name": "é", "monetary_value": 1200.0},
        {**OK, "name": "é", "monetaryValue": 1200, "status": None},
        {"pipeline_id": "pipe", "location_id": "loc", "contact_id": "contact", "name": "é", "monetaryValue": 1200},
    ):
        assert fingerprint(**same) == first


@pytest.mark.parametrize(
    "other", [{"name": "e"}, {"name": ""}, {"status": "won"}, {"monetaryValue": 0}, {"contactId": "c"}], ids=str
)
def test_other_content_has_another_fingerprint(other: dict[str, object]) -> None:
    assert fingerprint(**{**OK, **other}) != fingerprint(**OK)


def test_the_fingerprint_is_of_the_body_alone() -> None:
    bodies = (make_new_job(OK, {**KEY, "service": "a", "not_before": NOON}), make_new_job(OK, {**KEY, "service": "b"}))
    assert bodies[0].fingerprint == bodies[1].fingerprint
