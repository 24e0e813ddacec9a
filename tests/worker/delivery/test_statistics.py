"""Durations of attempts are counted by the worker and written in batches."""

from collections.abc import Iterator

import pytest

from lanes.activity.series import last_hour, since_the_beginning
from lanes.queue.connecting import connect
from lanes.queue.results import Result
from lanes.queue.store import LaneStore
from ops.embedded.redis_server import RedisServer
from ops.sandbox import Fault, FaultKind, Sandbox
from tests.proxy import Proxy
from tests.worker.delivery.sender import worker_of
from worker.delivery.statistics import Statistics

DELIVERED = Result("delivered", None, elapsed=0.2, wait=3.0)


@pytest.fixture
def store(redis_url: str) -> Iterator[LaneStore]:
    """An empty store."""
    with connect(redis_url) as client:
        yield LaneStore(client)


def test_each_report_of_a_worker_is_counted_once(redis_url: str, store: LaneStore) -> None:
    with Sandbox() as sandbox, worker_of(redis_url, sandbox.url) as worker:
        sandbox.inject(Fault(kind=FaultKind.STATUS, times=1))
        rows = [{"pipelineId": "p", "locationId": "loc", "contactId": contact} for contact in "abc"]
        assert {job.state for job in worker.deliver(*rows)} == {"delivered"}
    totals = since_the_beginning(store)
    assert (totals.waits.total, totals.answers.total) == (3, 4)
    assert last_hour(store).waits.counts == totals.waits.counts


def test_two_processes_add_up(store: LaneStore) -> None:
    for _ in range(2):
        statistics = Statistics()
        statistics.add(DELIVERED)
        statistics.add(Result("retried", None, elapsed=0.2))
        statistics.write(store)
        statistics.write(store)  # nothing is left
    totals = since_the_beginning(store)
    assert (totals.waits.total, totals.answers.total) == (2, 4)
    assert totals.waits.quantile(1) == pytest.approx(3, rel=0.1)
    assert totals.answers.quantile(1) == pytest.approx(0.2, rel=0.1)


def test_they_are_written_about_once_a_second(store: LaneStore) -> None:
    statistics = Statistics()
    for _ in range(3):
        statistics.add(DELIVERED)
        statistics.write(store, soon=True)
    assert since_the_beginning(store).waits.total == 1
    statistics.write(store)
    assert since_the_beginning(store).waits.total == 3


def test_a_batch_without_a_reply_is_not_written_again(redis_server: RedisServer, store: LaneStore) -> None:
    statistics = Statistics()
    statistics.add(DELIVERED)
    with Proxy(redis_server.port) as line, connect(f"redis://127.0.0.1:{line.port}/0") as client:
        distant = LaneStore(client)
        distant.record_statistics({})  # it is connected
        line.lose_reply(b"EVALSHA")
        statistics.write(distant)
        statistics.add(DELIVERED)
        statistics.write(distant)
    assert since_the_beginning(store).waits.total == 2
