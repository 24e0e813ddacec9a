"""What each unconfirmed answer does to a job, and answers that are too long or ask for a wait."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lanes.queue.job import Attempt, Job, State
from lanes.queue.job import Reason as Died
from ops.sandbox import DEFAULT_TOKEN, Fault, Sandbox, SandboxSettings
from tests.worker.delivery.sender import worker_of
from tests.worker.highlevel.recorder import Recorder

BODY = {"pipelineId": "pipe", "locationId": "loc", "contactId": "contact"}
PAGE = b"<!doctype html><title>Back soon</title>"
HTML = {"content-type": "text/html"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox without a rate limit."""
    with Sandbox(SandboxSettings(burst_limit=10**6)) as sandbox:
        yield sandbox


def scripted(status: int, raw: bytes, headers: dict[str, str] | None = None, **filters: Any) -> Fault:
    return Fault(kind="scripted", status=status, raw=raw, headers=headers or {}, **filters)


def outcomes(job: Job) -> list[str]:
    return [attempt.outcome for attempt in job.attempts]


@pytest.mark.parametrize(
    ("raw", "headers", "status"),
    [(PAGE, HTML, 200), (b"", {}, 204), (b"{}", {}, 201), (b'{"opportunity": {"id": "op', {}, 200), (b"OK", {}, 202)],
)
def test_a_2xx_that_confirms_nothing_is_asked_again(
    sandbox: Sandbox, redis_url: str, raw: bytes, headers: dict[str, str], status: int
) -> None:
    sandbox.inject(scripted(status, raw, headers, first=1))
    with worker_of(redis_url, sandbox.url) as worker:
        jobs = worker.deliver(*({**BODY, "contactId": f"c{number}"} for number in range(3)))
    assert [(job.state, outcomes(job)) for job in jobs] == [(State.DELIVERED, ["unconfirmed", "delivered"])] * 3
    assert len(sandbox.records) == 3
    assert all(job.attempts[0].detail["status"] == status for job in jobs)


def test_a_job_that_is_never_confirmed_is_a_dead_letter_that_says_so(sandbox: Sandbox, redis_url: str) -> None:
    sandbox.inject(scripted(200, PAGE, HTML))
    with worker_of(redis_url, sandbox.url, max_attempts=2) as worker:
        [job] = worker.deliver(BODY)
    assert (job.state, job.reason, job.message) == (State.DEAD, Died.UNCONFIRMED, "HTTP 200 with an HTML page")
    assert outcomes(job) == ["unconfirmed", "unconfirmed"]


def test_a_success_that_reports_a_failure_is_a_refusal(sandbox: Sandbox, redis_url: str) -> None:
    sandbox.inject(scripted(200, b'{"success":false,"statusCode":400,"message":"x"}'))
    with worker_of(redis_url, sandbox.url) as worker:
        [job] = worker.deliver(BODY)
    assert (job.state, job.reason, job.message, outcomes(job)) == (State.DEAD, Died.REFUSED, "x", ["refused"])


def test_unconfirmed_answers_over_several_locations_are_an_outage(sandbox: Sandbox, redis_url: str) -> None:
    sandbox.inject(scripted(200, PAGE, HTML))
    settings = {"outage_failures": 3, "outage_locations": 3, "outage_probe_seconds": 60}
    with worker_of(redis_url, sandbox.url, **settings) as worker:
        worker.deliver(*({**BODY, "locationId": f"loc{number}"} for number in range(4)))
        assert worker.store.global_state().outage is not None
    assert len(sandbox.request_log.requests()) == 3


def test_an_answer_about_another_location_is_asked_for_again(sandbox: Sandbox, redis_url: str) -> None:
    sandbox.inject(Fault(kind="other_location", applied=True, first=1))
    with worker_of(redis_url, sandbox.url) as worker:
        [job] = worker.deliver(BODY)
    assert (job.state, outcomes(job), job.new) == (State.DELIVERED, ["unconfirmed", "delivered"], False)
    assert job.attempts[0].detail["message"] == "HTTP 200 names another locationId than was sent"


def test_an_answer_about_another_contact_is_a_warning_on_the_job(sandbox: Sandbox, redis_url: str) -> None:
    sandbox.inject(Fault(kind="other_contact", applied=True))
    with worker_of(redis_url, sandbox.url) as worker:
        [job] = worker.deliver(BODY)
    assert (job.state, outcomes(job)) == (State.DELIVERED, ["delivered"])
    assert job.warning == "the answer names another contact than was sent: contacts get merged"


@pytest.mark.parametrize(
    ("reported", "connections"), [(["x"] * 6, 3), (["x", "contact"] * 3, 1), (["contact"] * 6, 1), ([None, "x"] * 3, 1)]
)
def test_two_other_contacts_in_a_row_close_the_connection(
    redis_url: str, reported: list[str | None], connections: int
) -> None:
    with Recorder() as server, worker_of(redis_url, server.url) as worker:
        for contact in reported:
            server.body = json.dumps({"opportunity": {"id": "o", "contactId": contact}, "new": True}).encode()
            [job] = worker.deliver(BODY)
            assert job.state is State.DELIVERED
    assert (len(server.seen), server.connections) == (6, connections)


@pytest.mark.parametrize(
    ("status", "raw", "headers"),
    [
        (400, b'{"message": "m", "traceId": "t %s", "code": "c %s"}', {}),
        (400, b'{"message": "%s"}', {"x-trace-id": "%s"}),
        (500, b"a %s b", {"content-type": "text/plain"}),
        (200, b'{"opportunity": {"id": "%s"}, "new": true}', {}),
        (401, b'{"message": "Invalid JWT: Bearer %s"}', {}),
    ],
)
def test_a_token_that_the_api_repeats_is_kept_nowhere(
    sandbox: Sandbox, redis_url: str, status: int, raw: bytes, headers: dict[str, str]
) -> None:
    token = DEFAULT_TOKEN.encode()
    reported = {name: value.replace("%s", DEFAULT_TOKEN) for name, value in headers.items()}
    sandbox.inject(scripted(status, raw.replace(b"%s", token), reported))
    with worker_of(redis_url, sandbox.url, max_attempts=1) as worker:
        [job] = worker.deliver(BODY)
        [lane] = worker.store.lanes()
    assert "[secret]" in str(job.attempts)
    assert DEFAULT_TOKEN not in f"{job} {lane}"


def test_a_hold_reason_repeats_nothing_of_the_job(sandbox: Sandbox, redis_url: str) -> None:
    sandbox.inject(scripted(403, b'{"message": "no access for ANNA MILLER (contact) in loc"}'))
    with worker_of(redis_url, sandbox.url) as worker:
        [job] = worker.deliver({**BODY, "name": "Anna Miller"})
        [lane] = worker.store.lanes()
    assert lane.hold == "no access for [content] ([content]) in loc"
    assert job.message == lane.hold


def test_a_refusal_by_the_other_published_body_is_recognized(sandbox: Sandbox, redis_url: str) -> None:
    body = {"statusCode": 422, "message": ["property contactId should not exist", "followers must be an array"]}
    sandbox.inject(Fault(kind="status", status=422, body=body))
    with worker_of(redis_url, sandbox.url) as worker:
        [job] = worker.deliver(BODY)
    assert (job.state, job.reason) == (State.DEAD, Died.REFUSED)
    assert job.warning == (
        "the API asks for the other published body of 2021-07-28, with follower fields instead of contactId"
    )


@pytest.mark.parametrize(
    ("status", "retry_after", "waits"), [(503, "17", 17), (408, "17", 17), (503, "3600", 40), (502, "0", 0)]
)
def test_a_retry_waits_for_as_long_as_the_api_asked(
    sandbox: Sandbox, redis_url: str, status: int, retry_after: str, waits: float
) -> None:
    """But for no longer than four times the longest backoff."""
    sandbox.inject(Fault(kind="status", status=status, retry_after=retry_after, times=1))
    with worker_of(redis_url, sandbox.url, backoff_base_seconds=0.001, backoff_max_seconds=10) as worker:
        [job] = worker.deliver(BODY)
        due = worker.store.client.zscore(worker.store.key("delayed", "loc"), job.id)
    failed: Attempt = job.attempts[0]
    if waits:
        assert due is not None
        assert float(due) / 1e6 - failed.ended_at == pytest.approx(waits, abs=0.001)
    else:
        assert job.state is State.DELIVERED
