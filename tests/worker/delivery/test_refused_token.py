"""A token that is refused costs one dead letter, however many requests are out with it when the first answer comes."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from celery import Celery

from lanes.checks.consistency import check_consistency
from lanes.credentials import CredentialStore
from lanes.queue.connecting import connect
from lanes.queue.job import Reason, State
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from ops.sandbox import DEFAULT_TOKEN, Sandbox, SandboxSettings
from producers import OpportunityProducer
from tests.worker.delivery.test_expired_lease import context_for
from worker.delivery.context import WorkerContext
from worker.delivery.flower_events import JobEvents
from worker.delivery.sender_pool import InlineSender
from worker.delivery.shift import SenderThread
from worker.tokens.credential import Credential, CredentialKind
from worker.tokens.provider import Token, TokenProvider
from worker.tokens.vault import Vault, new_key

LATENCY = 0.3
pytestmark = pytest.mark.timeout(120)


class Together(TokenProvider):
    """Tokens for which the threads that ask wait for each other once: so many jobs are out before one is sent."""

    def __init__(self, settings: WorkerSettings, lanes: LaneStore, threads: int) -> None:
        super().__init__(settings, lanes)
        self._barrier = threading.Barrier(threads, timeout=60)
        self._all_out = False

    def of(self, location_id: str) -> Token:
        """Return the token, once all have asked."""
        if not self._all_out:
            self._barrier.wait()
            self._all_out = True
        return super().of(location_id)


class CountedEvents(JobEvents):
    """Events that go nowhere, and how many jobs failed and went back."""

    def __init__(self) -> None:
        super().__init__(Celery(), "w", enabled=False)
        self.counts: Counter[str] = Counter()

    def failed(self, *_: Any) -> None:
        """Count a job that failed."""
        self.counts["failed"] += 1

    def retried(self, *_: Any) -> None:
        """Count a job that went back."""
        self.counts["retried"] += 1


def send_all(context: WorkerContext, threads: int) -> None:
    """Let so many threads send, until none finds a job."""
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(lambda: SenderThread(context, InlineSender(60)).work()) for _ in range(threads)]:
            done.result()


def enqueue(redis_url: str, count: int) -> list[str]:
    with OpportunityProducer.from_url(redis_url) as producer:
        rows = ({"pipelineId": "p", "locationId": "loc", "contactId": f"c{n}"} for n in range(count))
        return producer.enqueue_many(rows).job_ids


def settings_of(sandbox: Sandbox, **more: Any) -> WorkerSettings:
    return WorkerSettings(api_base_url=sandbox.url, burst_limit=100_000, **{"api_token": DEFAULT_TOKEN, **more})


@pytest.mark.parametrize("threads", [32, 128])
@pytest.mark.parametrize("token", ["pit-revoked", None], ids=["refused", "no token"])
def test_it_costs_one_dead_letter(redis_url: str, token: str | None, threads: int) -> None:
    ids = enqueue(redis_url, threads)
    request_log = SandboxSettings(latency_seconds=(LATENCY, LATENCY), burst_limit=100_000)
    with Sandbox(request_log) as sandbox, connect(redis_url) as client:
        settings, store = settings_of(sandbox, api_token=token), LaneStore(client)
        events = CountedEvents()
        context = replace(context_for(settings, store), tokens=Together(settings, store, threads), events=events)
        send_all(context, threads)
        asked = len(sandbox.request_log.requests())
        jobs = [job for job in store.jobs(ids) if job]
        dead = [job for job in jobs if job.state is State.DEAD]
        [lane] = store.lanes()
        found = list(check_consistency(store))
    assert (len(dead), lane.counts["pending"], lane.counts["in_flight"]) == (1, threads - 1, 0)
    assert (dead[0].reason, lane.held_by) == (Reason.UNAUTHORIZED, "authorization")
    assert asked == (threads if token else 0)
    assert events.counts == {"failed": 1, "retried": threads - 1}
    waiting = [job for job in jobs if job is not dead[0]]
    written = ["requeued"] if token else []
    assert all([attempt.outcome for attempt in job.attempts] == written and not job.failures for job in waiting)
    assert found == []


def test_a_token_that_was_replaced_while_the_requests_were_out_costs_nothing(redis_url: str) -> None:
    """The workers have seen the old token when the new one is stored, and report when it stands there."""
    threads, key = 32, new_key()
    ids = enqueue(redis_url, threads)
    with Sandbox(SandboxSettings(latency_seconds=(LATENCY, LATENCY), burst_limit=100_000)) as sandbox:
        settings = settings_of(sandbox, secret_key=key)
        with connect(redis_url) as client:
            store = LaneStore(client)
            tokens, vault = CredentialStore(store), Vault(settings.secret_key)

            class Replaced(Together):
                """Stores another token in the very moment in which a refusal has been judged."""

                def judge(self, token: Token, outcome: Any) -> Any:
                    judged = super().judge(token, outcome)
                    with lock:
                        if CredentialStore(store).read("loc").version == first:
                            tokens.store_credential(
                                "loc", vault.encrypt("loc", Credential(CredentialKind.PRIVATE, DEFAULT_TOKEN))
                            )
                    return judged

            lock = threading.Lock()
            first = tokens.store_credential(
                "loc", vault.encrypt("loc", Credential(CredentialKind.PRIVATE, "pit-revoked"))
            )
            replaced = Replaced(settings, store, threads)
            send_all(replace(context_for(settings, store), tokens=replaced), threads)
            assert store.lanes()[0].hold is None
            send_all(context_for(settings, store), 4)
            assert {job.state for job in store.jobs(ids) if job} == {State.DELIVERED}
