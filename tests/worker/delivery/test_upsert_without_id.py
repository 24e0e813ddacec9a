"""A v3 upsert without `id` may make a second opportunity if sent twice: what is retried, and what is a dead letter."""

from collections.abc import Iterator
from typing import Any

import pytest

from lanes.queue.job import State
from ops.sandbox import Fault, Sandbox, SandboxSettings
from tests.worker.delivery.sender import Worker, worker_of
from worker.delivery.reporter import Reporter

BODY = {
    "pipelineId": "pipe",
    "locationId": "loc",
    "followers": [],
    "isRemoveAllFollowers": False,
    "followersActionType": "add",
}
# It is unknown whether the API took it.
IN_DOUBT: dict[str, dict[str, Any]] = {
    "page": {"kind": "scripted", "status": 200, "raw": b"<!doctype html>"},
    "half a body": {"kind": "invalid_json", "applied": True},
    "another location": {"kind": "other_location", "applied": True},
    "reset": {"kind": "reset", "applied": True},
    "no answer": {"kind": "timeout", "applied": True},
    "502": {"kind": "status", "status": 502, "applied": True},
    "504": {"kind": "status", "status": 504, "applied": True},
    "520": {"kind": "status", "status": 520, "applied": True},
    "524": {"kind": "status", "status": 524, "applied": True},
}
# What the API did not take, as it says itself.
NOT_TAKEN: dict[str, dict[str, Any]] = {
    "429": {"kind": "status", "status": 429, "retry_after": "0.1"},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "408": {"kind": "status", "status": 408},
    "edge": {"kind": "html_403"},
}
QUICK = {"burst_window_seconds": 0.2}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox without a rate limit."""
    with Sandbox(SandboxSettings(burst_limit=10**6)) as sandbox:
        yield sandbox


@pytest.fixture
def worker(sandbox: Sandbox, redis_url: str) -> Iterator[Worker]:
    """A worker that speaks v3."""
    with worker_of(redis_url, sandbox.url, api_version="v3", **QUICK) as worker:
        yield worker


@pytest.mark.parametrize("name", IN_DOUBT)
def test_an_upsert_that_the_api_may_have_taken_is_a_dead_letter_at_once(
    sandbox: Sandbox, redis_url: str, name: str
) -> None:
    sandbox.inject(Fault(**{"delay_seconds": 30, **IN_DOUBT[name]}, times=1))
    patience = 0.5 if name == "no answer" else 20
    with worker_of(redis_url, sandbox.url, api_version="v3", http_timeout_seconds=patience, **QUICK) as worker:
        [job] = worker.deliver(BODY)
    assert (job.state, job.reason) == (State.DEAD, "unconfirmed")
    assert [attempt.outcome for attempt in job.attempts] == ["unconfirmed"]
    assert len(sandbox.request_log.requests()) == 1


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_an_upsert_that_the_api_did_not_take_is_tried_again(sandbox: Sandbox, worker: Worker, name: str) -> None:
    sandbox.inject(Fault(**NOT_TAKEN[name], times=1))
    [job] = worker.deliver(BODY)
    assert (job.state, len(job.attempts)) == (State.DELIVERED, 2)
    assert len(sandbox.records) == 1


def test_an_upsert_that_found_no_server_is_tried_again(redis_url: str) -> None:
    """The connection was refused: nothing was sent."""
    long = 10**6
    no_listener = {"api_version": "v3", "backoff_base_seconds": long, "backoff_max_seconds": long}
    with worker_of(redis_url, "http://127.0.0.1:1", **no_listener) as worker:
        [job] = worker.deliver(BODY)
    assert (job.state, [attempt.outcome for attempt in job.attempts]) == (State.PENDING, ["retry"])


def test_an_upsert_with_an_id_is_tried_again(sandbox: Sandbox, worker: Worker) -> None:
    sandbox.inject(Fault(kind="status", status=504, applied=True, times=1))
    [job] = worker.deliver({**BODY, "id": "opp"})
    assert [attempt.outcome for attempt in job.attempts] == ["retry", "delivered"]


@pytest.mark.parametrize("name", ["page", "reset", "504"])
def test_with_the_setting_all_of_them_are_tried_again(sandbox: Sandbox, redis_url: str, name: str) -> None:
    sandbox.inject(Fault(**IN_DOUBT[name], times=1))
    with worker_of(redis_url, sandbox.url, api_version="v3", repeat_unnamed=True, **QUICK) as worker:
        [job] = worker.deliver(BODY)
    assert (job.state, len(job.attempts)) == (State.DELIVERED, 2)


def test_these_failures_count_towards_an_outage(sandbox: Sandbox, redis_url: str) -> None:
    sandbox.inject(Fault(kind="status", status=504))
    settings = {"outage_failures": 3, "outage_locations": 3, "outage_probe_seconds": 60, "api_version": "v3"}
    with worker_of(redis_url, sandbox.url, **settings) as worker:
        jobs = worker.deliver(*({**BODY, "locationId": f"loc{number}"} for number in range(4)))
        assert worker.store.global_state().outage is not None
    assert sorted(job.state for job in jobs) == [State.DEAD, State.DEAD, State.DEAD, State.PENDING]


@pytest.mark.parametrize(("fields", "requests"), [({}, 1), ({"id": "opp"}, 2)])
def test_an_attempt_that_comes_a_second_time_is_not_sent_a_second_time(
    sandbox: Sandbox, worker: Worker, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], requests: int
) -> None:
    """A thread that failed after its request, before its report, is given the same attempt again."""
    job_id = worker.producer.enqueue({**BODY, **fields}).job_id
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "report", None)
        with pytest.raises(TypeError):
            worker.work()
    worker.work()
    assert len(sandbox.request_log.requests()) == requests
    job = worker.producer.status(job_id)
    assert (job.state, job.attempt) == (State.DELIVERED if fields else State.DEAD, 1)
