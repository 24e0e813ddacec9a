"""A token that is refused costs one dead letter, however many requests are out with it when the first answer comes."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from celery import Celery

from lanes.audit import audit
from lanes.job import Reason, State
from lanes.settings import Settings
from lanes.store import LaneStore, connect
from lanes.token_store import TokenStore
from producers import OpportunityProducer
from tests.worker.test_held_up import bench_of
from worker.bench import Bench
from worker.crew import Alone
from worker.events import NoEvents
from worker.highlevel.sandbox import DEFAULT_TOKEN, Sandbox, SandboxSettings
from worker.shift import Hand
from worker.tokens.credential import Credential, Kind
from worker.tokens.tokens import Token, Tokens
from worker.tokens.vault import Vault, new_key

LATENCY = 0.3
pytestmark = pytest.mark.timeout(120)


class Together(Tokens):
    """Tokens for which the threads that ask wait for each other once: so many jobs are out before one is sent."""

    def __init__(self, settings: Settings, lanes: LaneStore, threads: int) -> None:
        super().__init__(settings, lanes)
        self._barrier = threading.Barrier(threads, timeout=60)
        self._all_out = False

    def of(self, location_id: str) -> Token:
        """Return the token, once all have asked."""
        if not self._all_out:
            self._barrier.wait()
            self._all_out = True
        return super().of(location_id)


class CountedEvents(NoEvents):
    """Events that go nowhere, and how many jobs failed and went back."""

    def __init__(self) -> None:
        super().__init__(Celery())
        self.counts: Counter[str] = Counter()

    def failed(self, *_: Any) -> None:
        """Count a job that failed."""
        self.counts["failed"] += 1

    def retried(self, *_: Any) -> None:
        """Count a job that went back."""
        self.counts["retried"] += 1


def send_all(bench: Bench, threads: int) -> None:
    """Let so many threads send, until none finds a job."""
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(lambda: Hand(bench, Alone(60)).work()) for _ in range(threads)]:
            done.result()


def enqueue(redis_url: str, count: int) -> list[str]:
    with OpportunityProducer.from_url(redis_url) as producer:
        rows = ({"pipelineId": "p", "locationId": "loc", "contactId": f"c{n}"} for n in range(count))
        return producer.enqueue_many(rows).job_ids


def settings_of(sandbox: Sandbox, **more: Any) -> Settings:
    return Settings(api_base_url=sandbox.url, burst_limit=100_000, **{"api_token": DEFAULT_TOKEN, **more})


@pytest.mark.parametrize("threads", [32, 128])
@pytest.mark.parametrize("token", ["pit-revoked", None], ids=["refused", "no token"])
def test_it_costs_one_dead_letter(redis_url: str, token: str | None, threads: int) -> None:
    ids = enqueue(redis_url, threads)
    account = SandboxSettings(latency_seconds=(LATENCY, LATENCY), burst_limit=100_000)
    with Sandbox(account) as sandbox, connect(redis_url) as client:
        settings, store = settings_of(sandbox, api_token=token), LaneStore(client)
        events = CountedEvents()
        bench = replace(bench_of(settings, store), tokens=Together(settings, store, threads), events=events)
        send_all(bench, threads)
        asked = len(sandbox.account.requests())
        jobs = [job for job in store.jobs(ids) if job]
        dead = [job for job in jobs if job.state is State.DEAD]
        [lane] = store.lanes()
        found = list(audit(store))
    assert (len(dead), lane.counts["pending"], lane.counts["in_flight"]) == (1, threads - 1, 0)
    assert (dead[0].reason, lane.held_by) == (Reason.UNAUTHORIZED, "authorization")
    assert asked == (threads if token else 0)
    assert events.counts == {"failed": 1, "retried": threads - 1}
    waiting = [job for job in jobs if job is not dead[0]]
    written = ["again"] if token else []
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
            tokens, vault = TokenStore(store), Vault(settings.secret_key)

            class Replaced(Together):
                """Stores another token in the very moment in which a refusal has been judged."""

                def after(self, token: Token, outcome: Any) -> Any:
                    judged = super().after(token, outcome)
                    with lock:
                        if TokenStore(store).read("loc").version == first:
                            tokens.store_token("loc", vault.seal("loc", Credential(Kind.PRIVATE, DEFAULT_TOKEN)))
                    return judged

            lock = threading.Lock()
            first = tokens.store_token("loc", vault.seal("loc", Credential(Kind.PRIVATE, "pit-revoked")))
            replaced = Replaced(settings, store, threads)
            send_all(replace(bench_of(settings, store), tokens=replaced), threads)
            assert store.lanes()[0].hold is None
            send_all(bench_of(settings, store), 4)
            assert {job.state for job in store.jobs(ids) if job} == {State.DELIVERED}
