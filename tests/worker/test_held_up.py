"""A hand that was held up between its release and its request: by then another may have the job."""

import pytest
from celery import Celery

from lanes.job import State
from lanes.settings import Settings
from lanes.store import LaneStore, connect
from ops.redis_server import RedisServer
from producers import OpportunityProducer
from tests.proxy import Proxy
from worker.bell import Bell
from worker.bench import Bench, StopFlag
from worker.crew import Alone
from worker.events import NoEvents
from worker.highlevel.client import HighLevelClient
from worker.highlevel.sandbox import DEFAULT_TOKEN, Sandbox
from worker.redis_watch import RedisWatch
from worker.shift import Hand
from worker.tokens.tokens import Tokens

LEASE, TIMEOUT, HELD_UP = 0.6, 0.5, 0.7  # seconds
pytestmark = pytest.mark.timeout(60)


def bench_of(settings: Settings, store: LaneStore) -> Bench:
    client = HighLevelClient(settings.api_base_url, settings.api_version, settings.http_timeout_seconds)
    return Bench(
        settings, store, client, Tokens(settings, store), NoEvents(Celery()), "w", StopFlag(), Bell(), RedisWatch()
    )


def test_it_sends_nothing_when_its_lease_is_over(redis_server: RedisServer, redis_url: str) -> None:
    with (
        Proxy(redis_server.port) as line,
        Sandbox() as sandbox,
        connect(f"redis://127.0.0.1:{line.port}/0") as client,
        OpportunityProducer.from_url(redis_url) as producer,
    ):
        settings = Settings(
            api_base_url=sandbox.url,
            api_token=DEFAULT_TOKEN,
            lease_seconds=LEASE,
            http_timeout_seconds=TIMEOUT,
        )
        job_id = producer.enqueue({"pipelineId": "p", "locationId": "loc", "contactId": "c"}).job_id
        store = LaneStore(client)
        store.counts()  # it is connected
        line.delay = HELD_UP
        Hand(bench_of(settings, store), Alone(HELD_UP)).work()
        line.heal()
        assert sandbox.account.requests() == []
        job = producer.status(job_id)
        assert (job.state, job.attempt, job.failures, job.attempts) == (State.PENDING, 1, 0, ())
        Hand(bench_of(settings, store), Alone(LEASE)).work()
        assert producer.status(job_id).state is State.DELIVERED
        assert len(sandbox.account.requests()) == 1
