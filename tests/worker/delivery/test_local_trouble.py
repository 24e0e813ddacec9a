"""A worker that cannot send for a local reason: no job fails, no outage begins, and it recovers on its own."""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests.adapters
import structlog
from structlog.testing import LogCapture

from lanes.queue.connecting import connect
from lanes.queue.job import State
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from lanes.storage.scripts import load_all
from ops.sandbox import DEFAULT_TOKEN, Sandbox
from producers import OpportunityProducer
from tests.worker.delivery.test_expired_lease import context_for
from worker.delivery.sender_pool import InlineSender
from worker.delivery.shift import SenderThread
from worker.highlevel import local_failures as module
from worker.highlevel.client import HighLevelClient
from worker.highlevel.local_failures import LocalFailures
from worker.highlevel.outcomes import RequestFailure

pytestmark = pytest.mark.timeout(120)
FAILURES = 5


@contextlib.contextmanager
def without_descriptors() -> Iterator[None]:
    """This process can open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def without_certificates() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(Path(__file__) / "nothing"))
        yield


TROUBLES = {"no descriptors": (without_descriptors, "http"), "no certificates": (without_certificates, "https")}


@pytest.mark.parametrize("name", TROUBLES)
def test_it_is_distinguished_from_a_failure_of_the_api(name: str) -> None:
    local_failures, scheme = TROUBLES[name]
    client = HighLevelClient(f"{scheme}://127.0.0.1:1", "2021-07-28", 5)
    with local_failures():
        answer = client.upsert(b"{}", "token")
    assert isinstance(answer, RequestFailure)
    assert answer.local
    refused = HighLevelClient("http://127.0.0.1:1", "2021-07-28", 5).upsert(b"{}", "token")
    assert isinstance(refused, RequestFailure)
    assert not refused.local


def test_its_jobs_are_requeued_unchanged_and_sent_when_it_is_over(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    with Sandbox() as sandbox, connect(redis_url) as client, OpportunityProducer.from_url(redis_url) as producer:
        settings = WorkerSettings(
            api_base_url=sandbox.url, api_token=DEFAULT_TOKEN, outage_failures=FAILURES, outage_locations=2
        )
        rows = [
            {"pipelineId": "p", "locationId": f"loc-{number % 2}", "contactId": f"c{number}"} for number in range(4)
        ]
        ids = producer.enqueue_many(rows).job_ids
        store = LaneStore(client)
        context = context_for(settings, store)
        load_all()  # as a worker does
        store.counts()  # it is connected
        context.events.flush()  # and Celery's application is loaded
        with without_descriptors():
            SenderThread(context, InlineSender(0.5)).work()
        jobs = [job for job in store.jobs(ids) if job]
        assert {(job.state, job.failures, job.attempts) for job in jobs} == {(State.PENDING, 0, ())}
        assert sum(job.attempt for job in jobs) > FAILURES  # it did try
        assert store.global_state().outage is None
        assert sandbox.request_log.requests() == []
        SenderThread(context, InlineSender(5)).work()
        assert store.counts()["delivered"] == 4


def test_it_says_so_once_and_once_that_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = LogCapture()
    monkeypatch.setattr(module, "log", structlog.wrap_logger(None, processors=[logs]))
    local_failures = LocalFailures()
    local_failures.record_success()
    assert not local_failures.active
    waits = [local_failures.record("no descriptors") for _ in range(100)]
    assert all(0 < wait < 2 for wait in waits)
    assert local_failures.active
    local_failures.record_success()
    assert [entry["event"] for entry in logs.entries] == ["worker_cannot_send"]
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
    local_failures.record_success()
    local_failures.record_success()
    assert [entry["event"] for entry in logs.entries] == ["worker_cannot_send", "worker_can_send_again"]
    assert not local_failures.active
