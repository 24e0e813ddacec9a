"""Holds of lanes and global holds: what is released, what expires, and what is reported."""

from collections.abc import Callable

import pytest

from lanes.queue.job import State
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport
from tests.lanes.breaker.outage_steps import begin_outage, end_outage
from tests.lanes.conftest import LIMITS, ClockedStore, Orders, make_consumer

Stop = Callable[[ClockedStore], object]
LANE: tuple[Stop, Stop] = (lambda store: store.hold("loc", "r", "ada"), lambda store: store.resume("loc"))
ALL: tuple[Stop, Stop] = (lambda store: store.hold_all("r", "ada"), lambda store: store.resume_all())


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("stops", "held_for"),
    [
        ([(0, LANE[0]), (30, LANE[1])], 30),
        ([(0, ALL[0]), (30, ALL[1])], 30),
        ([(0, LANE[0]), (5, ALL[0]), (10, ALL[1]), (30, LANE[1])], 30),
        ([(0, LANE[0]), (5, ALL[0]), (10, LANE[1]), (30, ALL[1])], 30),
        ([(0, ALL[0]), (5, LANE[0]), (10, ALL[1]), (30, LANE[1])], 30),
        ([(0, ALL[0]), (5, LANE[0]), (10, LANE[1]), (30, ALL[1])], 30),
        ([(0, LANE[0]), (5, LANE[1]), (7, ALL[0]), (10, ALL[1]), (10, LANE[0]), (30, LANE[1])], 28),
        ([(0, LANE[0]), (0, LANE[0]), (30, LANE[1]), (30, LANE[1])], 30),
    ],
    ids=["lane", "all", "all in lane", "lane first", "all first", "lane in all", "apart", "twice"],
)
def test_time_held_is_added_once(
    store: ClockedStore, order: Orders, stops: list[tuple[float, Stop]], held_for: float, strict: bool
) -> None:
    """However holds lie across each other; a job that came before, and one that came after another hold."""
    store.hold("loc", "earlier", "ada")
    store.pass_time(100)
    store.resume("loc")
    began = store.now
    job = order("loc", expires_at=store.now + 10, expires_while_held=strict)
    store.enqueue(job, 60)
    store.client.zadd(store.key("due"), {"loc": (store.now + 10_000) * 1e6})
    for at, act in stops:
        store.pass_time(began + at - store.now)
        act(store)
        store.expire(10)
    store.client.zadd(store.key("due"), {"loc": store.now * 1e6})
    found = store.job(job.id)
    assert found is not None
    if strict:
        assert found.state is State.EXPIRED
        return
    assert found.state is State.PENDING
    store.pass_time(began + held_for + 9.999 - store.now)
    store.expire(10)
    released = store.release(make_consumer()).next
    assert isinstance(released, Released)
    store.throttle(AttemptReport(job.id, 1, "{}", LIMITS), wait=0)
    store.pass_time(0.002)
    assert store.release(make_consumer()).next == Idle(None)
    found = store.job(job.id)
    assert found is not None
    assert found.state is State.EXPIRED


def test_a_held_job_is_not_checked_repeatedly(store: ClockedStore, order: Orders) -> None:
    job = order("loc", expires_at=store.now + 0.001)
    store.hold("loc", "r", "ada")
    store.enqueue(job, 60)
    store.pass_time(1)
    assert store.expire(10) == []
    assert store.client.zscore(store.key("expiring"), job.id) == (store.now + 60) * 1e6
    store.resume("loc")
    store.pass_time(61)
    assert store.expire(10) == [job.id]


def test_expiry_is_paused_in_an_outage(store: ClockedStore, order: Orders) -> None:
    job = order("later", expires_at=store.now + 100, not_before=store.now + 50)
    store.enqueue(job, 60)
    begin_outage(store, order)
    store.pass_time(5000)
    assert store.expire(10) == []
    end_outage(store)
    found = store.job(job.id)
    assert found is not None
    assert found.state is State.DELIVERED


def test_everything_held_in_an_outage_sends_no_probe(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    store.hold_all("wait", "ada")
    store.pass_time(100)
    assert store.release(make_consumer()).next == Idle(None)
    assert store.count_due(10, LIMITS).due == 0
    store.resume_all()
    assert isinstance(store.release(make_consumer()).next, Released)
    assert isinstance(store.release(make_consumer("w2")).next, Idle)


def test_a_hold_wakes_no_dispatcher_and_its_end_wakes_them(store: ClockedStore, order: Orders) -> None:
    with store.client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(store.key("wake"))
        channel.get_message(timeout=5)
        store.hold_all("r", "ada")
        store.enqueue(order("loc"), 60)
        store.client.publish(store.key("wake"), "mark")
        assert channel.get_message(timeout=5)["data"] == b"mark"
        store.resume_all()
        assert channel.get_message(timeout=5)["data"] == b""


def test_a_release_needs_no_extra_command_while_the_breaker_is_closed(store: ClockedStore, order: Orders) -> None:
    """By Redis's own count of commands: the hold is in a key that is read anyway."""
    for n in range(3):
        store.enqueue(order("loc", f"r{n}"), 60)
    store.client.config_resetstat()
    store.release(make_consumer())
    stats = store.client.info("commandstats")
    assert stats["cmdstat_zrange"]["calls"] == 3  # of the lanes, of the delayed and of the ready jobs
