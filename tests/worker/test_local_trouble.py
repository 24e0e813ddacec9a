"""A worker that cannot send, for a reason of its own: no job fails, no outage begins, and it goes on by itself."""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests.adapters
import structlog
from structlog.testing import LogCapture

from lanes.job import State
from lanes.loader import load_all
from lanes.settings import Settings
from lanes.store import LaneStore, connect
from producers import OpportunityProducer
from tests.worker.test_held_up import bench_of
from worker import local_trouble as module
from worker.crew import Alone
from worker.highlevel.client import HighLevelClient
from worker.highlevel.outcomes import Failure
from worker.highlevel.sandbox import DEFAULT_TOKEN, Sandbox
from worker.local_trouble import LocalTrouble
from worker.shift import Hand

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
def test_it_is_told_from_a_failure_of_the_api(name: str) -> None:
    trouble, scheme = TROUBLES[name]
    client = HighLevelClient(f"{scheme}://127.0.0.1:1", "2021-07-28", 5)
    with trouble():
        answer = client.upsert(b"{}", "token")
    assert isinstance(answer, Failure)
    assert answer.local
    refused = HighLevelClient("http://127.0.0.1:1", "2021-07-28", 5).upsert(b"{}", "token")
    assert isinstance(refused, Failure)
    assert not refused.local


def test_its_jobs_go_back_untouched_and_are_sent_when_it_is_over(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    with Sandbox() as sandbox, connect(redis_url) as client, OpportunityProducer.from_url(redis_url) as producer:
        settings = Settings(
            api_base_url=sandbox.url, api_token=DEFAULT_TOKEN, outage_failures=FAILURES, outage_locations=2
        )
        rows = [
            {"pipelineId": "p", "locationId": f"loc-{number % 2}", "contactId": f"c{number}"} for number in range(4)
        ]
        ids = producer.enqueue_many(rows).job_ids
        store = LaneStore(client)
        bench = bench_of(settings, store)
        load_all(store.prefix)  # as a worker does
        store.counts()  # it is connected
        with without_descriptors():
            Hand(bench, Alone(0.5)).work()
        jobs = [job for job in store.jobs(ids) if job]
        assert {(job.state, job.failures, job.attempts) for job in jobs} == {(State.PENDING, 0, ())}
        assert sum(job.attempt for job in jobs) > FAILURES  # it did try
        assert store.gate().outage is None
        assert sandbox.account.requests() == []
        Hand(bench, Alone(5)).work()
        assert store.counts()["delivered"] == 4


def test_it_says_so_once_and_once_that_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    told = LogCapture()
    monkeypatch.setattr(module, "log", structlog.wrap_logger(None, processors=[told]))
    trouble = LocalTrouble()
    trouble.sent()
    assert not trouble.is_on
    waits = [trouble.met("no descriptors") for _ in range(100)]
    assert all(0 < wait < 2 for wait in waits)
    assert trouble.is_on
    trouble.sent()
    assert [entry["event"] for entry in told.entries] == ["worker_cannot_send"]
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
    trouble.sent()
    trouble.sent()
    assert [entry["event"] for entry in told.entries] == ["worker_cannot_send", "worker_sends_again"]
    assert not trouble.is_on
