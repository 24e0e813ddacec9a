"""One sender of a worker on a real Redis and a real server: it sends what is due, in the thread of the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery

from lanes.queue.connecting import connect
from lanes.queue.job import Job
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from ops.sandbox import DEFAULT_TOKEN
from producers import OpportunityProducer
from worker.delivery.context import WorkerContext
from worker.delivery.flower_events import JobEvents
from worker.delivery.sender_pool import InlineSender
from worker.delivery.shift import SenderThread
from worker.delivery.wakeup import WakeupPipe
from worker.highlevel.client import HighLevelClient
from worker.safety.redis_availability import RedisAvailability
from worker.shared_flag import SharedFlag
from worker.tokens.provider import TokenProvider

LONG_SECONDS = 60.0  # nothing is due for a second before that


class Worker:
    """Sends with one thread until nothing has been due for a second."""

    def __init__(self, settings: WorkerSettings, store: LaneStore, producer: OpportunityProducer) -> None:
        self.settings = settings
        self.store = store
        self.producer = producer
        self.client = HighLevelClient(settings.api_base_url, settings.api_version, settings.http_timeout_seconds)
        self.tokens = TokenProvider(settings, store)
        parts = (settings, store, self.client, self.tokens, JobEvents(Celery(), "w", enabled=False), "w")
        self.context = WorkerContext(*parts, SharedFlag(), WakeupPipe(), RedisAvailability())

    def work(self) -> None:
        """Send what is due."""
        SenderThread(self.context, InlineSender(LONG_SECONDS)).work()

    def deliver(self, *bodies: dict[str, Any]) -> list[Job]:
        """Enqueue these, send what is due, and return what became of them."""
        ids = [self.producer.enqueue(body).job_id for body in bodies]
        self.work()
        return [self.producer.status(job_id) for job_id in ids]


@contextmanager
def worker_of(redis_url: str, api_url: str, **settings: Any) -> Iterator[Worker]:
    """A worker with these settings."""
    given = {"api_token": DEFAULT_TOKEN, "backoff_base_seconds": 0.02, **settings}
    found = WorkerSettings(redis_url=redis_url, api_base_url=api_url, **given)
    with connect(redis_url) as client, OpportunityProducer(LaneStore(client), found) as producer:
        worker = Worker(found, LaneStore(client), producer)
        yield worker
        worker.client.drop_connection()
        worker.tokens.close()
