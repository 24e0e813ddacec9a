"""One sender of a worker on a real Redis and a real server: it sends what is due, in the thread of the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery

from lanes.job import Job
from lanes.settings import Settings
from lanes.store import LaneStore, connect
from producers import OpportunityProducer
from worker.bell import Bell
from worker.bench import Bench, StopFlag
from worker.crew import Alone
from worker.events import NoEvents
from worker.highlevel.client import HighLevelClient
from worker.highlevel.sandbox import DEFAULT_TOKEN
from worker.redis_watch import RedisWatch
from worker.shift import Hand
from worker.tokens.tokens import Tokens

LONG_SECONDS = 60.0  # nothing is due for a second before that


class Worker:
    """Sends with one thread until nothing has been due for a second."""

    def __init__(self, settings: Settings, store: LaneStore, producer: OpportunityProducer) -> None:
        self.settings = settings
        self.store = store
        self.producer = producer
        self.client = HighLevelClient(settings.api_base_url, settings.api_version, settings.http_timeout_seconds)
        self.tokens = Tokens(settings, store)
        parts = (settings, store, self.client, self.tokens, NoEvents(Celery()), "w")
        self.bench = Bench(*parts, StopFlag(), Bell(), RedisWatch())

    def work(self) -> None:
        """Send what is due."""
        Hand(self.bench, Alone(LONG_SECONDS)).work()

    def deliver(self, *bodies: dict[str, Any]) -> list[Job]:
        """Enqueue these, send what is due, and return what became of them."""
        ids = [self.producer.enqueue(body).job_id for body in bodies]
        self.work()
        return [self.producer.status(job_id) for job_id in ids]


@contextmanager
def worker_of(redis_url: str, api_url: str, **settings: Any) -> Iterator[Worker]:
    """A worker with these settings."""
    given = {"api_token": DEFAULT_TOKEN, "backoff_base_seconds": 0.02, **settings}
    found = Settings(redis_url=redis_url, api_base_url=api_url, **given)
    with connect(redis_url) as client, OpportunityProducer(LaneStore(client), found) as producer:
        worker = Worker(found, LaneStore(client), producer)
        yield worker
        worker.client.drop_connection()
        worker.tokens.close()
