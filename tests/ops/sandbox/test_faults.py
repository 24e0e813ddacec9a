"""Faults: which requests they affect, their bytes on the wire, and how the client handles each."""

import socket
import threading
import time
from typing import Any

import pydantic
import pytest

from ops.sandbox import DEFAULT_TOKEN, Fault, FaultKind, Sandbox
from ops.sandbox.fault_injection import HUGE_BYTES
from ops.sandbox.faults import Faults
from tests.helpers import until
from tests.worker.highlevel.conftest import DEADLINE_SECONDS, HEADERS, post
from worker.highlevel.bounded_post import MAX_ANSWER_BYTES
from worker.highlevel.client import HighLevelClient
from worker.highlevel.outcomes import Answer, Outcome, OutcomeKind, classify

RAW = b'{"pipelineId":"pipe","locationId":"loc","contactId":"contact"}'
NEVER = 300.0


def body(contact: str = "contact", location: str = "loc", pipeline: str = "pipe") -> dict[str, str]:
    return {"contactId": contact, "locationId": location, "pipelineId": pipeline}


def affected(fault: dict[str, Any], *bodies: dict[str, str]) -> list[bool]:
    faults = Faults()
    faults.add(Fault(**{"kind": "status", **fault}))
    return [faults.match(one) is not None for one in bodies]


A, B = body("a-1"), body("b-1")


@pytest.mark.parametrize(
    ("fault", "bodies", "expected"),
    [
        ({}, [A, B, {}], [True, True, True]),
        ({"times": 2}, [A, B, A, B], [True, True, False, False]),
        ({"first": 2}, [A, A, B, A, B, B], [True, True, True, False, True, False]),
        ({"first": 1}, [A, body("a-1", pipeline="p2"), body("a-1", "loc-2"), A], [True, True, True, False]),
        ({"first": 2, "times": 3}, [A, A, A, B, B], [True, True, False, True, False]),
        ({"location": "loc"}, [A, body(location="loc-2"), {}], [True, False, False]),
        ({"pipeline": "pipe"}, [A, body(pipeline="pipe-2")], [True, False]),
        ({"contact_prefix": "a-"}, [A, B, {}], [True, False, False]),
        ({"contact_prefix": "a-", "times": 1}, [B, A, A], [False, True, False]),
        ({"contact_prefix": "a-", "location": "loc-2"}, [A, body("a-1", "loc-2")], [False, True]),
    ],
)
def test_which_requests_a_fault_applies_to(
    fault: dict[str, Any], bodies: list[dict[str, str]], expected: list[bool]
) -> None:
    assert affected(fault, *bodies) == expected


def test_probability_is_the_same_each_time() -> None:
    hits = affected({"probability": 0.25}, *[A] * 2000)
    assert hits == affected({"probability": 0.25}, *[A] * 2000)
    assert 400 < sum(hits) < 600


def test_the_first_fault_that_fits_is_the_one() -> None:
    faults = Faults()
    faults.add(Fault(kind=FaultKind.RESET, contact_prefix="a-", times=1))
    faults.add(Fault(kind=FaultKind.TIMEOUT))
    found = [faults.match(one) for one in (B, A, A)]
    assert [fault and fault.kind for fault in found] == [FaultKind.TIMEOUT, FaultKind.RESET, FaultKind.TIMEOUT]
    faults.clear()
    assert faults.match(A) is None


@pytest.mark.parametrize("wrong", [{"kind": "fire"}, {"kind": "reset", "time": 1}, {"kind": "status", "first": 0}])
def test_a_wrong_fault_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        Fault(**wrong)


def upsert(sandbox: Sandbox, timeout: float = DEADLINE_SECONDS) -> Outcome:
    return classify(HighLevelClient(sandbox.url, "2021-07-28", timeout).upsert(RAW, DEFAULT_TOKEN), 10, RAW)


@pytest.mark.parametrize(
    ("fault", "kind", "status", "message"),
    [
        ({"kind": "status"}, OutcomeKind.RETRY, 500, "made by the sandbox"),
        ({"kind": "status", "status": 503, "message": ["not", "now"]}, OutcomeKind.RETRY, 503, "not; now"),
        ({"kind": "status", "status": 404, "message": "gone"}, OutcomeKind.REFUSED, 404, "gone"),
        ({"kind": "status", "status": 401, "message": "Invalid JWT"}, OutcomeKind.UNAUTHORIZED, 401, "Invalid JWT"),
        ({"kind": "status", "status": 400, "body": {"error": {"message": "of v3"}}}, OutcomeKind.REFUSED, 400, "of v3"),
        ({"kind": "status", "status": 502, "body": "<html>bad gateway</html>"}, OutcomeKind.RETRY, 502,
         "HTTP 502 with an HTML page"),
        ({"kind": "status", "status": 204}, OutcomeKind.UNCONFIRMED, 204, "HTTP 204 without a body"),
        ({"kind": "html_403"}, OutcomeKind.RETRY, 403, "HTTP 403 with an HTML page"),
        ({"kind": "redirect"}, OutcomeKind.RETRY, 302, "HTTP 302 without a message"),
        ({"kind": "invalid_json"}, OutcomeKind.UNCONFIRMED, 200, "HTTP 200 without the promised body"),
        ({"kind": "invalid_json", "status": 500}, OutcomeKind.RETRY, 500, "HTTP 500 without a message"),
        ({"kind": "huge_body"}, OutcomeKind.UNCONFIRMED, 200, "HTTP 200 without the promised body"),
        ({"kind": "slow_body", "status": 500, "delay_seconds": 0}, OutcomeKind.RETRY, 500, "made by the sandbox"),
        ({"kind": "slow_body", "status": 500, "delay_seconds": 0, "sized": True}, OutcomeKind.RETRY, 500,
         "made by the sandbox"),
        ({"kind": "other_contact"}, OutcomeKind.DELIVERED, 200, None),
        ({"kind": "other_location"}, OutcomeKind.UNCONFIRMED, 200, "HTTP 200 names another locationId than was sent"),
        ({"kind": "reset"}, OutcomeKind.RETRY, None, "connection failed: ConnectionResetError"),
        ({"kind": "timeout", "delay_seconds": 0}, OutcomeKind.RETRY, None, "connection failed: RemoteDisconnected"),
    ],
)  # fmt: skip
def test_what_the_client_makes_of_each(
    sandbox: Sandbox, fault: dict[str, Any], kind: OutcomeKind, status: int | None, message: str | None
) -> None:
    sandbox.inject(Fault(**fault, times=1))
    outcome = upsert(sandbox)
    assert (outcome.kind, outcome.status) == (kind, status)
    assert message is None or outcome.message == message
    assert (outcome.warning is not None) == (kind is OutcomeKind.DELIVERED)
    [logged] = sandbox.request_log.requests()
    assert (logged.fault, logged.status, logged.rate_limited) == (fault["kind"], status, False)
    assert sandbox.records == {}
    assert upsert(sandbox).kind is OutcomeKind.DELIVERED
    assert len(sandbox.records) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": "timeout"}, "no whole answer within 0.3 s"),
        ({"kind": "slow_body"}, "no whole answer within 0.3 s"),
        ({"kind": "slow_body", "sized": True}, "no whole answer within 0.3 s"),
        ({"kind": "hang_headers"}, "no whole answer within 0.3 s"),
    ],
)
def test_the_client_waits_no_longer_than_its_deadline(sandbox: Sandbox, fault: dict[str, Any], message: str) -> None:
    # A drop every tenth of a second: each by itself comes in time.
    sandbox.inject(Fault(**fault, times=1, delay_seconds=10))
    started = time.monotonic()
    assert upsert(sandbox, timeout=0.3) == Outcome(OutcomeKind.RETRY, message=message, in_doubt=True)
    assert time.monotonic() - started < 10
    until(lambda: sandbox.request_log.open == 0, "the server to see that the client is gone")
    assert upsert(sandbox).kind is OutcomeKind.DELIVERED


def test_an_answer_that_comes_too_late_is_never_taken_for_the_next_one(sandbox: Sandbox) -> None:
    client = HighLevelClient(sandbox.url, "2021-07-28", 0.2)
    sandbox.inject(Fault(kind="slow_body", applied=True, delay_seconds=10))
    client.upsert(RAW.replace(b"contact", b"contact-1").replace(b"contact-1Id", b"contactId"), DEFAULT_TOKEN)
    sandbox.clear_faults()
    answer = client.upsert(RAW, DEFAULT_TOKEN)
    assert isinstance(answer, Answer)
    assert b'"contactId": "contact"' in answer.body


@pytest.mark.parametrize("kind", ["status", "timeout", "reset", "slow_body", "invalid_json", "huge_body"])
def test_applied_takes_effect_although_the_answer_is_lost(sandbox: Sandbox, kind: str) -> None:
    sandbox.inject(Fault(kind=FaultKind(kind), applied=True, delay_seconds=0, times=1))
    upsert(sandbox)
    assert len(sandbox.records) == 1
    outcome = upsert(sandbox)
    assert (outcome.kind, outcome.new) == (OutcomeKind.DELIVERED, False)
    assert [len(bodies) for bodies in sandbox.request_log.per_record().values()] == [2]


AROUND = ["early_hints", "trailing_bytes", "two_answers"]


@pytest.mark.parametrize("kind", AROUND)
def test_the_answer_between_the_bytes_is_the_true_one(sandbox: Sandbox, kind: str) -> None:
    sandbox.inject(Fault(kind=FaultKind(kind), contact_prefix="contact"))
    client = HighLevelClient(sandbox.url, "2021-07-28", DEADLINE_SECONDS)
    wrong = RAW.replace(b'"contactId"', b'"status":"opened","contactId"')
    outcomes = [classify(client.upsert(raw, DEFAULT_TOKEN), 10) for raw in (RAW, wrong, RAW, wrong)]
    assert [outcome.status for outcome in outcomes] == [201, 422, 200, 422]
    logged = sandbox.request_log.requests()
    assert [(one.fault, one.status, one.applied) for one in logged] == [
        (kind, 201, 1), (kind, 422, None), (kind, 200, 2), (kind, 422, None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "before", "behind"),
    [
        ({"kind": "early_hints"}, b"HTTP/1.1 103 Early Hints\r\n", b""),
        ({"kind": "trailing_bytes"}, b"", b"\r\nstray bytes"),
        ({"kind": "trailing_bytes", "raw": b"\x00\xff"}, b"", b"\x00\xff"),
        ({"kind": "two_answers"}, b"", b'"statusCode": 400, "message": "made by the sandbox"'),
        ({"kind": "two_answers", "status": 200, "body": {"new": True}}, b"", b'{"new": true}'),
    ],
)
def test_bytes_around_an_answer_on_the_wire(
    sandbox: Sandbox, fault: dict[str, Any], before: bytes, behind: bytes
) -> None:
    sandbox.inject(Fault(**fault, times=1))
    host, port = sandbox.url.removeprefix("http://").split(":")
    head = "".join(f"{name}: {value}\r\n" for name, value in {**HEADERS, "Content-Length": str(len(RAW))}.items())
    request = f"POST /opportunities/upsert HTTP/1.1\r\nHost: {host}\r\n{head}\r\n".encode() + RAW
    came = b""
    with socket.create_connection((host, int(port)), timeout=DEADLINE_SECONDS) as connection:
        connection.sendall(request)
        while not (b'"traceId"' in came and behind in came):
            piece = connection.recv(65536)
            assert piece, came
            came += piece
        assert came.startswith(before or b"HTTP/1.1 201 Created\r\n")
        assert came.count(b"HTTP/1.1 ") == 1 + (fault["kind"] != "trailing_bytes")
        assert b"HTTP/1.1 201 Created\r\n" in came
        connection.sendall(request)  # the server goes on with the connection
        while b'"new": false' not in came:
            piece = connection.recv(65536)
            assert piece, came
            came += piece


def test_a_maintenance_page(sandbox: Sandbox) -> None:
    sandbox.inject(Fault(kind="maintenance_page", times=1))
    page = post(sandbox)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert page.text.startswith("<!doctype html>")
    assert sandbox.records == {}
    assert post(sandbox).status_code == 201


def test_what_breaks_the_contract_takes_no_effect(sandbox: Sandbox) -> None:
    sandbox.inject(Fault(kind="status", applied=True))
    assert post(sandbox, status="opened").status_code == 500
    assert sandbox.records == {}


def test_a_huge_body_has_its_size(sandbox: Sandbox) -> None:
    sandbox.inject(Fault(kind="huge_body"))
    assert len(post(sandbox).content) > HUGE_BYTES > 10 * MAX_ANSWER_BYTES


def test_a_429_made_so_is_none_that_the_limits_provoked(sandbox: Sandbox) -> None:
    daily = {"X-RateLimit-Daily-Remaining": "0", "X-RateLimit-Daily-Reset": "60000"}
    sandbox.inject(Fault(kind="status", status=429, message="slow down", retry_after=7, times=1))
    sandbox.inject(Fault(kind="status", status=429, headers=daily))
    outcomes = [upsert(sandbox), upsert(sandbox)]
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.THROTTLED, OutcomeKind.THROTTLED]
    assert [outcome.wait for outcome in outcomes] == [7, 60]
    assert outcomes[0].message == "slow down"
    assert sandbox.request_log.throttled == 0


def test_fails_at_first_then_succeeds(sandbox: Sandbox) -> None:
    sandbox.inject(Fault(kind="status", status=503, first=2, contact_prefix="flaky"))
    statuses = [post(sandbox, contactId=contact).status_code for _ in range(3) for contact in ("flaky-1", "flaky-2")]
    assert statuses == [503, 503, 503, 503, 201, 201]
    assert post(sandbox).status_code == 201


@pytest.mark.parametrize(
    ("fault", "promised"),
    [
        ({"kind": "hang_headers"}, b"HTTP/1.1 200 OK\r\nX-Slow: xxx"),
        ({"kind": "slow_body", "body": "y" * 50}, b"\r\n\r\n1\r\ny\r\n1\r\ny\r\n1\r\ny"),
        ({"kind": "slow_body", "body": "y" * 50, "sized": True}, b"Content-Length: 50\r\n\r\nyyy"),
    ],
)
def test_drops_on_the_wire(sandbox: Sandbox, fault: dict[str, Any], promised: bytes) -> None:
    sandbox.inject(Fault(**fault, delay_seconds=5))
    host, port = sandbox.url.removeprefix("http://").split(":")
    head = "".join(f"{name}: {value}\r\n" for name, value in {**HEADERS, "Content-Length": str(len(RAW))}.items())
    came = b""
    with socket.create_connection((host, int(port)), timeout=DEADLINE_SECONDS) as connection:
        connection.sendall(f"POST /opportunities/upsert HTTP/1.1\r\nHost: {host}\r\n{head}\r\n".encode() + RAW)
        while promised not in came:
            piece = connection.recv(65536)
            assert piece, came
            came += piece
        assert sandbox.request_log.open == 1
    until(lambda: sandbox.request_log.open == 0, "the server to see that the client is gone")


def test_a_sandbox_ends_although_requests_wait() -> None:
    with Sandbox() as sandbox:
        sandbox.inject(Fault(kind="timeout", delay_seconds=NEVER))
        outcomes: list[Outcome] = []
        waiting = threading.Thread(target=lambda: outcomes.append(upsert(sandbox)))
        waiting.start()
        until(lambda: sandbox.request_log.open == 1, "the request to arrive")
    waiting.join()
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.RETRY]
    assert sandbox.request_log.open == 0
    assert [logged.status for logged in sandbox.request_log.requests()] == [None]
