"""A sender thread delayed between release and request: another one may have the job by then."""

import pytest
from celery import Celery

from lanes.queue.connecting import connect
from lanes.queue.job import State
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from ops.embedded.redis_server import RedisServer
from ops.sandbox import DEFAULT_TOKEN, Sandbox
from producers import OpportunityProducer
from tests.proxy import Proxy
from worker.delivery.context import WorkerContext
from worker.delivery.flower_events import JobEvents
from worker.delivery.sender_pool import InlineSender
from worker.delivery.shift import SenderThread
from worker.delivery.wakeup import WakeupPipe
from worker.highlevel.client import HighLevelClient
from worker.safety.redis_availability import RedisAvailability
from worker.shared_flag import SharedFlag
from worker.tokens.provider import TokenProvider

LEASE, TIMEOUT, HELD_UP = 0.6, 0.5, 0.7  # seconds
pytestmark = pytest.mark.timeout(60)


def context_for(settings: WorkerSettings, store: LaneStore) -> WorkerContext:
    client = HighLevelClient(settings.api_base_url, settings.api_version, settings.http_timeout_seconds)
    return WorkerContext(
        settings,
        store,
        client,
        TokenProvider(settings, store),
        JobEvents(Celery(), "w", enabled=False),
        "w",
        SharedFlag(),
        WakeupPipe(),
        RedisAvailability(),
    )


def test_it_sends_nothing_when_its_lease_is_over(redis_server: RedisServer, redis_url: str) -> None:
    with (
        Proxy(redis_server.port) as line,
        Sandbox() as sandbox,
        connect(f"redis://127.0.0.1:{line.port}/0") as client,
        OpportunityProducer.from_url(redis_url) as producer,
    ):
        settings = WorkerSettings(
            api_base_url=sandbox.url,
            api_token=DEFAULT_TOKEN,
            lease_seconds=LEASE,
            http_timeout_seconds=TIMEOUT,
        )
        job_id = producer.enqueue({"pipelineId": "p", "locationId": "loc", "contactId": "c"}).job_id
        store = LaneStore(client)
        store.counts()  # it is connected
        line.delay = HELD_UP
        SenderThread(context_for(settings, store), InlineSender(HELD_UP)).work()
        line.heal()
        assert sandbox.request_log.requests() == []
        job = producer.status(job_id)
        assert (job.state, job.attempt, job.failures, job.attempts) == (State.PENDING, 1, 0, ())
        SenderThread(context_for(settings, store), InlineSender(LEASE)).work()
        assert producer.status(job_id).state is State.DELIVERED
        assert len(sandbox.request_log.requests()) == 1
