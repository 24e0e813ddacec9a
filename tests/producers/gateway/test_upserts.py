"""One row: every status, on a running gateway."""

import asyncio
import json
import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from lanes.errors import RedisUnavailableError
from producers.gateway.upserts import state_of
from producers.receipt import Receipt
from tests.helpers import row, until
from tests.producers.gateway.conftest import RunningGateway, deliver_job, problem


def test_202_names_the_job(gateway: RunningGateway) -> None:
    answer = gateway.enqueue(row("accepted", "a", name="A deal", monetaryValue=12.5))
    accepted = answer.json()
    assert (answer.status_code, accepted["state"], accepted["duplicate"]) == (202, "pending", False)
    assert answer.headers["Location"] == f"/v1/jobs/{accepted['job_id']}"
    job = gateway.store.job(accepted["job_id"])
    assert job is not None
    assert job.service == "billing"
    assert job.body == row("accepted", "a", name="A deal", monetaryValue=12.5)


def test_200_returns_the_job_that_is_done_in_time(gateway: RunningGateway) -> None:
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(gateway.enqueue(row("waited", "a"), Prefer="respond-async, wait=20"))
    )
    waiting.start()
    until(lambda: "waited" in gateway.store.locations())
    (job_id,) = [each.id for each in gateway.store.lane_jobs("waited").ready]
    deliver_job(gateway, job_id)
    waiting.join()
    (answer,) = answers
    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=20"
    found = answer.json()
    assert (found["id"], found["state"], found["opportunity_id"], found["new"]) == (job_id, "delivered", "opp", True)


def test_202_after_a_wait_in_vain(gateway: RunningGateway) -> None:
    answer = gateway.enqueue(row("in-vain", "a"), Prefer="wait=1")
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    assert "Preference-Applied" not in answer.headers


def test_the_same_key_and_body_are_one_job(gateway: RunningGateway) -> None:
    first = gateway.enqueue(row("repeated", "a"), idempotency_key="k-1").json()
    quoted = gateway.enqueue(row("repeated", "a"), idempotency_key='"k-1"')
    in_row = gateway.enqueue({**row("repeated", "a"), "_options": {"idempotency_key": "k-1"}})
    for again in (quoted, in_row):
        assert again.status_code == 202
        assert again.json() == {"job_id": first["job_id"], "state": "pending", "duplicate": True}


def test_409_for_a_key_of_another_body(gateway: RunningGateway) -> None:
    first = gateway.enqueue(row("conflict", "a"), idempotency_key="k").json()
    found = problem(gateway.enqueue(row("conflict", "a", name="x"), idempotency_key="k"), 409, "conflict")
    assert found["job_id"] == first["job_id"]
    assert "idempotency key 'k'" in found["detail"]


def test_a_key_is_that_of_its_service(gateway: RunningGateway) -> None:
    mine = gateway.enqueue(row("scoped", "a"), idempotency_key="1")
    theirs = gateway.enqueue(row("scoped", "a", name="other"), "crm", idempotency_key="1")
    assert (mine.status_code, theirs.status_code) == (202, 202)
    assert mine.json()["job_id"] != theirs.json()["job_id"]


def test_a_job_id_of_ones_own_makes_a_repeat_harmless(gateway: RunningGateway) -> None:
    first = gateway.send("POST", "/v1/upserts?job_id=order-1", json=row("own-id", "a")).json()
    assert (first["state"], first["duplicate"]) == ("pending", False)
    assert first["job_id"].endswith(".order-1")
    for job_id in ("order-1", first["job_id"]):
        assert gateway.send("POST", f"/v1/upserts?job_id={job_id}", json=row("own-id", "a")).json() == first
    assert gateway.send("GET", f"/v1/jobs/{first['job_id']}").json()["state"] == "pending"
    invalid = gateway.send("POST", "/v1/upserts?job_id=a%20b", json=row("own-id", "a"))
    assert problem(invalid, 422, "invalid")["errors"][0]["field"] == "job_id"


def test_a_job_id_tells_nothing_of_another_service(gateway: RunningGateway) -> None:
    mine = gateway.send("POST", "/v1/upserts?job_id=order-2", json=row("scoped-id", "a")).json()
    made = gateway.enqueue(row("scoped-id", "a")).json()
    for job_id in ("order-2", mine["job_id"], made["job_id"]):
        theirs = gateway.send("POST", f"/v1/upserts?job_id={job_id}", "crm", json=row("scoped-id", "b"))
        assert (theirs.status_code, theirs.json()["state"]) == (202, "pending")
        assert theirs.json()["job_id"] not in (mine["job_id"], made["job_id"])


def test_422_has_every_field_value_and_what_would_be_right(gateway: RunningGateway) -> None:
    wrong = {
        "pipelineId": "a b",
        "locationId": "loc",
        "nmae": "x",
        "monetaryValue": "12",
        "_options": {"priority": 10, "service": "crm", "not_before": "tomorrow"},
    }
    found = problem(gateway.enqueue(wrong), 422, "invalid")
    assert {(each["field"], each["value"]): each["message"] for each in found["errors"]} == {
        ("_options.service", "'crm'"): "must be billing, the service of the key",
        ("pipelineId", "'a b'"): "must be 1 to 64 letters, digits, - or _",
        ("contactId", ""): "is required",
        ("monetaryValue", "'12'"): "should be a valid number",
        ("nmae", ""): "no such field; did you mean name?",
        ("_options.priority", "10"): "should be less than or equal to 9",
        ("_options.not_before", "'tomorrow'"): "must be a time with a zone, like 2026-05-01T09:00:00Z",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b'{"name": "a", "name": "b"}', "must be given only once"),
        (b"\xff\xfe{}", "must be UTF-8"),
        (b'{"a": ' + b"[" * 100_000, "must not be nested so deeply"),
    ],
)
def test_422_for_a_body_that_is_no_row(gateway: RunningGateway, body: bytes, message: str) -> None:
    answer = gateway.send("POST", "/v1/upserts", data=body, headers={"Content-Type": "application/json"})
    assert message in problem(answer, 422, "invalid")["errors"][0]["message"]


def test_the_name_of_the_own_service_is_no_problem(gateway: RunningGateway) -> None:
    assert gateway.enqueue({**row("named", "a"), "_options": {"service": "billing"}}).status_code == 202


@pytest.mark.parametrize("key", ["", '""', '"a b"', "a, b", "x" * 129])
def test_422_for_a_key_that_is_none(gateway: RunningGateway, key: str) -> None:
    found = problem(gateway.enqueue(row("no-such-key", "a"), idempotency_key=key), 422, "invalid")
    assert [each["field"] for each in found["errors"]] == ["_options.idempotency_key"]


def test_two_headers_with_a_key_are_refused(gateway: RunningGateway) -> None:
    body = json.dumps(row("two-headers", "a"))
    head = f"POST /v1/upserts HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {gateway.keys['billing']}\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as client:
        keys = "Idempotency-Key: a\r\nIdempotency-Key: b\r\n"
        client.sendall(f"{head}{keys}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 422 ")


def test_two_different_keys_are_refused(gateway: RunningGateway) -> None:
    answer = gateway.enqueue({**row("two-keys", "a"), "_options": {"idempotency_key": "a"}}, idempotency_key="b")
    assert problem(answer, 422, "invalid")["errors"][0]["field"] == "Idempotency-Key"


def test_413_and_415(gateway: RunningGateway) -> None:
    large = gateway.enqueue(row("large", "a", name="x" * 300_000))
    problem(large, 413, "too-large")
    form = gateway.send("POST", "/v1/upserts", data={"pipelineId": "p"})
    problem(form, 415, "media-type")
    packed = gateway.enqueue(row("packed", "a"), Content_Encoding="gzip")
    problem(packed, 415, "media-type")


KEYS: list[tuple[dict[str, str], str]] = [
    ({}, "send the header"),
    ({"Authorization": "Basic YTpi"}, "send the header"),
    ({"Authorization": "Bearer"}, "send the header"),
    ({"Authorization": "Bearer lanes_wrong"}, "no service has this key"),
]


@pytest.mark.parametrize(("headers", "detail"), KEYS)
def test_401_says_how_to_send_a_key(gateway: RunningGateway, headers: dict[str, str], detail: str) -> None:
    answer = gateway.enqueue(row("no-key", "a"), None, **headers)
    assert detail in problem(answer, 401, "no-key")["detail"]
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="lanes"'
    assert "no-key" not in gateway.store.locations()


def test_merged_and_stale_jobs_have_their_state(gateway: RunningGateway) -> None:
    def event(time: str) -> dict[str, Any]:
        return {**row("merged", "a", name=time), "_options": {"event_time": time, "merge": True}}

    assert gateway.enqueue(event("2026-05-01T09:00:00Z")).json()["state"] == "pending"
    assert gateway.enqueue(event("2026-05-01T10:00:00Z")).json()["state"] == "pending"


def test_a_state_that_could_not_be_read_is_not_called_pending() -> None:
    async def fail(_: str) -> None:
        raise RedisUnavailableError("away")

    producer: Any = SimpleNamespace(status=fail)
    receipt = Receipt("id", "loc")
    assert asyncio.run(state_of(producer, receipt, may_differ=True)) is None
    assert asyncio.run(state_of(producer, receipt, may_differ=False)) == "pending"
