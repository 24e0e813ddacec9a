"""Replies that are lost, cut, late or slow: each upsert makes one job, and each call gets its own answer.

Through a proxy in front of a real Redis, each case on both producers.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.store import LaneStore
from lanes.settings import ProducerSettings
from ops.embedded.redis_server import RedisServer
from producers import (
    EnqueueFailedError,
    EnqueueInterruptedError,
    Receipt,
    RedisUnavailableError,
    State,
)
from tests.helpers import until
from tests.producers.conftest import OK, MakeProducer, Producer
from tests.proxy import Proxy

pytestmark = pytest.mark.timeout(60)

KEY = {"idempotency_key": "order-4711"}


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[Proxy]:
    with Proxy(redis_server.port) as proxy:
        yield proxy


def through(proxy: Proxy, seconds: float = 20) -> ProducerSettings:
    return ProducerSettings(redis_url=f"redis://127.0.0.1:{proxy.port}/0", enqueue_timeout_seconds=seconds)


@pytest.fixture
def producer(redis_url: str, make_producer: MakeProducer, proxy: Proxy) -> Producer:
    """A producer that connects through the proxy, and has loaded its script by enqueueing a job."""
    assert redis_url
    producer = make_producer(through(proxy))
    producer.enqueue({**OK, "contactId": "before"})
    return producer


def rows(count: int) -> list[dict[str, str]]:
    return [{**OK, "contactId": f"c{number}"} for number in range(count)]


@pytest.mark.parametrize("after", [0, 1, 30], ids=["whole", "all but a byte", "in its middle"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_reply_that_is_lost_is_asked_for_again_and_one_job_is_made(
    producer: Producer, proxy: Proxy, store: LaneStore, after: int, times: int
) -> None:
    for _ in range(times):
        proxy.lose_reply(b"EVALSHA", after)
    receipt = producer.enqueue(OK)
    assert receipt == Receipt(receipt.job_id, "loc")
    assert producer.status(receipt.job_id).state is State.PENDING
    assert (store.counts()["accepted"], proxy.lost) == (2, times)
    assert list(check_consistency(store)) == []


def test_a_request_that_is_lost_is_sent_again(producer: Producer, proxy: Proxy, store: LaneStore) -> None:
    proxy.lose_request(b"EVALSHA", after=20)
    producer.enqueue(OK, **KEY)
    assert (store.counts()["accepted"], proxy.lost) == (2, 1)


@pytest.mark.parametrize("cut", [Proxy.lose_reply, Proxy.lose_request], ids=["reply", "request"])
@pytest.mark.parametrize("after", [0, 20_000])
def test_many_rows_that_are_cut_off_are_there_once(
    producer: Producer, proxy: Proxy, store: LaneStore, cut: Callable[[Proxy, bytes, int], None], after: int
) -> None:
    cut(proxy, b"EVALSHA", after)
    report = producer.enqueue_many(rows(700))
    assert (report.accepted, report.duplicates, len(set(report.job_ids)), proxy.lost) == (700, 0, 700, 1)
    assert store.counts()["accepted"] == 701
    assert list(check_consistency(store)) == []


def test_when_no_reply_comes_at_all_the_error_says_how_to_go_on(
    producer: Producer, make_producer: MakeProducer, proxy: Proxy, store: LaneStore
) -> None:
    for _ in range(99):
        proxy.lose_reply(b"EVALSHA")
    hasty = make_producer(through(proxy, 0.6))
    with pytest.raises(EnqueueFailedError, match=r"may have been accepted: enqueue it again with its idem") as caught:
        hasty.enqueue(OK)
    error = caught.value
    assert error.may_be_accepted
    assert store.counts()["accepted"] == 2
    with pytest.raises(EnqueueInterruptedError) as many:
        hasty.enqueue_many(rows(3))
    assert many.value.may_be_accepted
    with pytest.raises(EnqueueFailedError) as keyed:
        hasty.enqueue({**OK, "contactId": "keyed"}, **KEY)
    proxy.heal()
    assert producer.enqueue(OK, job_id=error.job_id).job_id == error.job_id
    assert producer.enqueue({**OK, "contactId": "keyed"}, **KEY).job_id == keyed.value.job_id
    assert store.counts()["accepted"] == 6


def test_when_nothing_was_sent_the_error_says_so(make_producer: MakeProducer, proxy: Proxy) -> None:
    proxy.refuse()
    hasty = make_producer(through(proxy, 0.6))
    with pytest.raises(EnqueueFailedError, match=r"; nothing was accepted$") as caught:
        hasty.enqueue(OK)
    assert not caught.value.may_be_accepted


def test_an_answer_that_comes_too_late_is_not_taken_for_that_to_another_call(
    redis_url: str, make_producer: MakeProducer, proxy: Proxy, store: LaneStore
) -> None:
    assert redis_url
    hasty = make_producer(through(proxy, 0.6))
    hasty.enqueue(OK)
    for number in range(4):
        proxy.delay = 0.15  # there and back, it is later than a try may take
        with pytest.raises(RedisUnavailableError, match="Timeout"):
            hasty.enqueue(OK)
        with pytest.raises(RedisUnavailableError, match="Timeout"):
            hasty.enqueue_many(rows(3))
        proxy.delay = 0
        receipt = hasty.enqueue({**OK, "contactId": f"late{number}"})
        assert hasty.status(receipt.job_id).record == f"pipe/late{number}"
    assert list(check_consistency(store)) == []


def test_a_connection_that_went_silent_is_given_up_for_a_new_one(
    make_producer: MakeProducer, proxy: Proxy, store: LaneStore
) -> None:
    """Half open: the other end is gone without closing the connection."""
    producer = make_producer(through(proxy, 3))
    producer.enqueue(OK)
    opened = proxy.opened
    proxy.stall()

    def heal() -> None:
        until(lambda: proxy.opened > opened, "another connection")
        proxy.heal()

    healing = threading.Thread(target=heal)
    healing.start()
    producer.enqueue({**OK, "contactId": "other"})
    healing.join()
    assert store.counts()["accepted"] == 2


def test_a_trickle_is_enough(producer: Producer, proxy: Proxy, store: LaneStore) -> None:
    proxy.rate = 2000
    assert producer.enqueue(OK).job_id
    assert store.counts()["accepted"] == 2


@pytest.mark.parametrize("seconds", [0.3, 1.2])
def test_the_time_is_kept_however_it_goes_wrong(make_producer: MakeProducer, proxy: Proxy, seconds: float) -> None:
    proxy.stall()
    producer = make_producer(through(proxy, seconds))
    began = time.monotonic()
    with pytest.raises(EnqueueFailedError):
        producer.enqueue(OK, durability="fsync")
    assert seconds / 3 <= time.monotonic() - began < 3 * seconds + 5  # the least is the time of a single try


def test_a_producer_that_meets_a_redis_that_is_started_again_goes_on(
    make_producer: MakeProducer, tmp_path: Path
) -> None:
    with RedisServer(tmp_path) as server:
        producer = make_producer(ProducerSettings(redis_url=server.url, enqueue_timeout_seconds=30))
        receipts = [producer.enqueue(OK)]
        server.kill()
        insisting = threading.Thread(target=lambda: receipts.append(producer.enqueue({**OK, "contactId": "other"})))
        insisting.start()
        server.start()
        insisting.join()
        assert [producer.status(receipt.job_id).state for receipt in receipts] == [State.PENDING] * 2


class SlowRow(Mapping[str, Any]):
    """A row that waits, when it is validated, until Redis has jobs."""

    def __init__(self, store: LaneStore, jobs: int) -> None:
        self._store = store
        self._jobs = jobs

    def __getitem__(self, name: str) -> Any:
        return {**OK, "contactId": "slow"}[name]

    def __iter__(self) -> Iterator[str]:
        until(lambda: self._store.counts()["accepted"] >= self._jobs, f"{self._jobs} jobs", 5)
        return iter(OK)

    def __len__(self) -> int:
        return len(OK)


def test_rows_are_validated_while_redis_stores_earlier_ones(producer: Producer, store: LaneStore) -> None:
    values: list[Any] = [*rows(100), SlowRow(store, jobs=101), *rows(300)[101:]]
    assert producer.enqueue_many(values).accepted == len(values)


def test_rows_that_are_validated_while_redis_goes_away_are_stored_once(
    producer: Producer, proxy: Proxy, store: LaneStore
) -> None:
    proxy.lose_reply(b"EVALSHA")
    values: list[Any] = [*rows(100), SlowRow(store, jobs=51), *rows(300)[101:]]
    report = producer.enqueue_many(values)
    assert (report.accepted, len(set(report.job_ids)), proxy.lost) == (len(values), len(values), 1)
    assert store.counts()["accepted"] == len(values) + 1
