"""A Redis that fills up or crashes half way, and how to go on. Each case on both producers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.settings import ProducerSettings
from ops.embedded.redis_server import RedisServer
from producers import EnqueueInterruptedError, EnqueueReport, RedisUnavailableError
from tests.producers.conftest import OK, MakeProducer, Opportunity

# Bounded waits are what is tested: a call that hangs ends its test here.
pytestmark = pytest.mark.timeout(60)

MANY = 1700
DEATH = 1200  # the row before which Redis is killed: some batches are in by then, and some rows are left
MOST_UNREPORTED = 500  # one batch, as the error's docstring says


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server to be killed."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


def test_a_full_redis_takes_nothing_and_loses_nothing(make_producer: MakeProducer, server: RedisServer) -> None:
    producer = make_producer(ProducerSettings(redis_url=server.url, enqueue_timeout_seconds=0.5))
    job_id = producer.enqueue(OK).job_id
    store = LaneStore(connect(server.url))
    store.client.config_set("maxmemory", 1)
    store.client.delete(store.key("memory_checked"))  # it was ample a moment ago
    with pytest.raises(RedisUnavailableError, match=r"^Redis refuses: memory is nearly used up"):
        producer.enqueue(OK)
    with pytest.raises(EnqueueInterruptedError, match="nearly used up") as caught:
        producer.enqueue_many([OK])
    assert caught.value.report == EnqueueReport()
    store.client.config_set("maxmemory", 0)
    assert producer.status(job_id).body == OK
    assert producer.enqueue_many([OK]).accepted == 1
    assert store.counts()["accepted"] == 2
    assert list(check_consistency(store)) == []
    store.close()


def rows() -> list[dict[str, Any]]:
    """Rows with keys of their own; the tenth is wrong, the twentieth is the nineteenth again."""
    made: list[dict[str, Any]] = [
        {**OK, "contactId": f"c{number}", "_options": {"idempotency_key": f"k{number}"}}
        for number in range(1, MANY + 1)
    ]
    made[9] = {**OK, "status": "opened"}
    made[19] = made[18]
    return made


def interrupted(act: Callable[[], object]) -> Iterator[Opportunity]:
    """Yield the rows, and call a function before one of them."""
    for number, row in enumerate(rows(), 1):
        if number == DEATH:
            act()
        yield row


def check_partial(report: EnqueueReport, store: LaneStore) -> None:
    """What is in the report is in Redis, and at most one batch more."""
    assert 20 < report.last_row < DEATH
    assert report.rows == report.last_row
    assert (report.duplicates, [rejected.row for rejected in report.refused]) == (1, [10])
    assert len(report.job_ids) == report.accepted + 1
    bodies = [job.body for job in store.jobs(report.job_ids) if job is not None]
    expected = [n for n in range(1, report.last_row + 1) if n != 10]
    assert [body["contactId"] for body in bodies if body] == [f"c{19 if n == 20 else n}" for n in expected]
    assert report.accepted <= store.counts()["accepted"] <= report.accepted + MOST_UNREPORTED


@pytest.mark.parametrize("how", ["killed", "full"])
def test_what_is_in_when_redis_fails_half_way_and_how_to_go_on(
    make_producer: MakeProducer, server: RedisServer, how: str
) -> None:
    producer = make_producer(ProducerSettings(redis_url=server.url, enqueue_timeout_seconds=0.5))
    store = LaneStore(connect(server.url))
    fail = server.kill if how == "killed" else lambda: store.client.config_set("maxmemory", 1)
    with pytest.raises(EnqueueInterruptedError) as caught:
        producer.enqueue_many(interrupted(fail))
    report = caught.value.report
    assert isinstance(caught.value, RedisUnavailableError)
    assert str(caught.value).endswith(f"; {report.accepted + 1} rows were accepted before")
    if how == "killed":
        server.start()
    else:
        store.client.config_set("maxmemory", 0)
    check_partial(report, store)
    rest = producer.enqueue_many(rows()[report.last_row :])
    assert rest.last_row == rest.rows == MANY - report.last_row
    assert store.counts()["accepted"] == store.counts()["pending"] == MANY - 2
    assert list(check_consistency(store)) == []
    store.close()


def test_a_producer_outlives_its_redis(make_producer: MakeProducer, server: RedisServer) -> None:
    producer = make_producer(ProducerSettings(redis_url=server.url, enqueue_timeout_seconds=0.5))
    job_id = producer.enqueue(OK).job_id
    server.kill()
    with pytest.raises(RedisUnavailableError):
        producer.enqueue(OK)
    with pytest.raises(RedisUnavailableError):
        producer.wait(job_id, 3600)
    server.start()
    assert producer.status(job_id).body == OK
    assert producer.enqueue_many([OK]).accepted == 1
