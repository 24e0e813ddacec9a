"""Shared by the tests of the producers: one interface for both, so that each case runs on both."""

import asyncio
import os
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from pydantic import BaseModel

from lanes.queue.connecting import connect
from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits
from lanes.settings import ProducerSettings
from lanes.settings.environment import PREFIX
from producers import (
    AsyncOpportunityProducer,
    EnqueueReport,
    InvalidJobError,
    Job,
    OpportunityProducer,
    Receipt,
    UpsertOpportunity,
)
from producers.model import check

OK: dict[str, Any] = {"pipelineId": "pipe", "locationId": "loc", "contactId": "contact"}
CONSUMER = Consumer("test", lease=60, retention=3600, limits=DefaultLimits(burst=1000, window=10, daily=100_000))
DEADLINE_SECONDS = 60.0

Opportunity = UpsertOpportunity | dict[str, Any]


def problems_of(model: type[BaseModel], values: object, path: str = "") -> list[str]:
    with pytest.raises(InvalidJobError) as caught:
        check(model, values, path)
    reported = [str(problem) for problem in caught.value.field_errors]
    assert str(caught.value) == "; ".join(reported)
    assert all(line.isprintable() for line in reported)
    return reported


def connections(store: LaneStore) -> set[str]:
    """Return the ids of all connections that Redis has."""
    return {client["id"] for client in store.client.client_list()}


class Producer(Protocol):
    """What both faces can do, seen from code that waits for each answer."""

    def enqueue(self, opportunity: Opportunity, **options: Any) -> Receipt: ...
    def enqueue_many(self, opportunities: Iterable[Opportunity], **options: Any) -> EnqueueReport: ...
    def status(self, job_id: str) -> Job: ...
    def cancel(self, job_id: str) -> bool: ...
    def wait(self, job_id: str, timeout: float) -> Job: ...
    def close(self) -> None: ...


class InLoop:
    """The asynchronous producer in a loop of its own, which runs as long as a call lasts."""

    def __init__(self, settings: ProducerSettings) -> None:
        self._runner = asyncio.Runner()
        self._producer = AsyncOpportunityProducer.from_settings(settings)

    def enqueue(self, opportunity: Opportunity, **options: Any) -> Receipt:
        return self._runner.run(self._producer.enqueue(opportunity, **options))

    def enqueue_many(
        self, opportunities: Iterable[Opportunity] | AsyncIterable[Opportunity], **options: Any
    ) -> EnqueueReport:
        return self._runner.run(self._producer.enqueue_many(opportunities, **options))

    def status(self, job_id: str) -> Job:
        return self._runner.run(self._producer.status(job_id))

    def cancel(self, job_id: str) -> bool:
        return self._runner.run(self._producer.cancel(job_id))

    def wait(self, job_id: str, timeout: float) -> Job:
        return self._runner.run(self._producer.wait(job_id, timeout))

    def close(self) -> None:
        self._runner.run(self._producer.close())
        self._runner.close()


MakeProducer = Callable[[ProducerSettings], Producer]


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from the machine that runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture(params=[OpportunityProducer.from_settings, InLoop], ids=["sync", "async"])
def make_producer(request: pytest.FixtureRequest) -> Iterator[MakeProducer]:
    """Make producers of either face; they are closed with the test."""
    made: list[Producer] = []

    def make(settings: ProducerSettings) -> Producer:
        producer: Producer = request.param(settings)
        made.append(producer)
        return producer

    yield make
    for producer in made:
        producer.close()


@pytest.fixture
def producer(redis_url: str, make_producer: MakeProducer) -> Producer:
    """A producer of either face on an empty Redis."""
    return make_producer(ProducerSettings(redis_url=redis_url))


@pytest.fixture
def store(redis_url: str) -> Iterator[LaneStore]:
    """The lanes, as a worker sees them."""
    store = LaneStore(connect(redis_url))
    yield store
    store.close()


def release(store: LaneStore, job_id: str) -> Released:
    """Let a worker take the next job, which must be this one."""
    released = store.release(CONSUMER).next
    assert isinstance(released, Released)
    assert released.id == job_id
    return released


def deliver(store: LaneStore, job_id: str, detail: str = '{"opportunity_id":"opp","new":true}') -> None:
    """Let a worker take the next job, which must be this one, and deliver it."""
    attempt = release(store, job_id).attempt
    assert store.deliver(AttemptReport(job_id, attempt, detail, CONSUMER.limits), retention=3600).code == "delivered"
