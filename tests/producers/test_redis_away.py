"""A Redis that is away, silent, closed, full, or that dies half way. Each case on both producers."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from lanes.audit import audit
from lanes.settings import Settings
from lanes.store import LaneStore, connect
from ops.redis_server import RedisServer, free_port
from producers import EnqueueInterruptedError, EnqueueReport, RedisUnavailableError
from tests.producers.conftest import OK, MakeProducer, Opportunity, Producer

# Bounded waits are what is tested: a call that hangs ends its test here.
pytestmark = pytest.mark.timeout(60)

MANY = 1700
DEATH = 1200  # the row before which Redis dies: some batches are in by then, and some rows are left
MOST_UNREPORTED = 500  # one batch, as the error's docstring says

CALLS: dict[str, Callable[[Producer], object]] = {
    "enqueue": lambda producer: producer.enqueue(OK),
    "enqueue_many": lambda producer: producer.enqueue_many([OK]),
    "status": lambda producer: producer.status("job"),
    "cancel": lambda producer: producer.cancel("job"),
    "wait": lambda producer: producer.wait("job", 3600),
}


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Callable[[Producer], object]:
    """Each method in turn."""
    return CALLS[request.param]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server to be killed."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis with a password; `nobody` may do nothing."""
    with RedisServer(tmp_path_factory.mktemp("guarded")) as server:
        with redis.Redis.from_url(server.url) as client:
            client.acl_setuser("nobody", enabled=True, passwords=["+hunter2"], categories=["-@all"])
            client.config_set("requirepass", "sesame")
        yield server.url.removeprefix("redis://")


def test_nothing_listens(make_producer: MakeProducer, call: Callable[[Producer], object]) -> None:
    producer = make_producer(Settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    with pytest.raises(RedisUnavailableError, match=r"^Redis cannot be reached: .* is LANES_REDIS_URL right"):
        call(producer)


def test_something_listens_and_never_answers(make_producer: MakeProducer, call: Callable[[Producer], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0?socket_timeout=0.05&socket_connect_timeout=0.05"
        with pytest.raises(RedisUnavailableError, match=r"^Redis cannot be reached: Timeout"):
            call(make_producer(Settings(redis_url=url)))


@pytest.mark.parametrize("user", ["", ":hunter2@", "nobody:hunter2@"], ids=["none", "wrong password", "no rights"])
def test_redis_lets_nobody_in(
    make_producer: MakeProducer, guarded: str, user: str, call: Callable[[Producer], object]
) -> None:
    producer = make_producer(Settings(redis_url=f"redis://{user}{guarded}"))
    with pytest.raises(RedisUnavailableError, match=r"^Redis refuse") as caught:
        call(producer)
    assert "hunter2" not in str(caught.value)


def test_the_right_password(make_producer: MakeProducer, guarded: str) -> None:
    producer = make_producer(Settings(redis_url=f"redis://:sesame@{guarded}"))
    assert producer.cancel(producer.enqueue(OK).job_id)


def test_a_full_redis_takes_nothing_and_loses_nothing(make_producer: MakeProducer, server: RedisServer) -> None:
    producer = make_producer(Settings(redis_url=server.url))
    job_id = producer.enqueue(OK).job_id
    store = LaneStore(connect(server.url))
    store.client.config_set("maxmemory", 1)
    with pytest.raises(RedisUnavailableError, match=r"^Redis refuses: .*OOM"):
        producer.enqueue(OK)
    with pytest.raises(EnqueueInterruptedError, match="OOM") as caught:
        producer.enqueue_many([OK])
    assert caught.value.report == EnqueueReport()
    store.client.config_set("maxmemory", 0)
    assert producer.status(job_id).body == OK
    assert producer.enqueue_many([OK]).accepted == 1
    assert store.counts()["accepted"] == 2
    assert list(audit(store)) == []
    store.client.close()


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
    """Yield the rows, and let something happen before one of them."""
    for number, row in enumerate(rows(), 1):
        if number == DEATH:
            act()
        yield row


def check_partial(report: EnqueueReport, store: LaneStore) -> None:
    """What is in the report is in Redis, and at most one batch more."""
    assert 20 < report.last_row < DEATH
    assert report.rows == report.last_row
    assert (report.duplicates, [refusal.row for refusal in report.refused]) == (1, [10])
    assert len(report.job_ids) == report.accepted + 1
    bodies = [job.body for job in store.jobs(report.job_ids) if job is not None]
    expected = [n for n in range(1, report.last_row + 1) if n != 10]
    assert [body["contactId"] for body in bodies if body] == [f"c{19 if n == 20 else n}" for n in expected]
    assert report.accepted <= store.counts()["accepted"] <= report.accepted + MOST_UNREPORTED


@pytest.mark.parametrize("how", ["killed", "full"])
def test_what_is_in_when_redis_fails_half_way_and_how_to_go_on(
    make_producer: MakeProducer, server: RedisServer, how: str
) -> None:
    producer = make_producer(Settings(redis_url=server.url))
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
    assert list(audit(store)) == []
    store.client.close()


def test_a_producer_outlives_its_redis(make_producer: MakeProducer, server: RedisServer) -> None:
    producer = make_producer(Settings(redis_url=server.url))
    job_id = producer.enqueue(OK).job_id
    server.kill()
    with pytest.raises(RedisUnavailableError):
        producer.enqueue(OK)
    with pytest.raises(RedisUnavailableError):
        producer.wait(job_id, 3600)
    server.start()
    assert producer.status(job_id).body == OK
    assert producer.enqueue_many([OK]).accepted == 1
