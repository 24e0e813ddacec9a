"""Holds of lanes and of everything: what is released, what expires, and what is told."""

from collections.abc import Callable

import pytest

from lanes.gate import Gate
from lanes.job import Idle, Released, State
from lanes.transitions import Limits, OutageRule, Patience, Report, Told
from tests.lanes.conftest import LIMITS, ClockedStore, Orders, seat

LIMITS_OF_MANY = Limits(burst=100, window=10, daily=1000)
RULE = OutageRule(failures=3, locations=3, gap=1, most_gap=60)


def fail(store: ClockedStore, job: Released) -> str:
    return store.retry(Report(job.id, job.attempt, "{}", LIMITS), delay=0, outage=RULE).code


def begin_outage(store: ClockedStore, order: Orders) -> None:
    """Fail a request of each of three locations."""
    for name in ("x", "y", "z"):
        store.enqueue(order(name, name), 60)
    jobs = [store.release(seat(name)).next for name in ("x", "y", "z")]
    for job in jobs:
        assert isinstance(job, Released)
        assert fail(store, job) == "retried"
    assert store.gate().outage is not None


def end_outage(store: ClockedStore) -> None:
    """Deliver what is due until the gate is open."""
    while store.gate().outage is not None:
        job = store.release(seat()).next
        if isinstance(job, Released):
            store.deliver(Report(job.id, job.attempt, "{}", LIMITS), retention=3600)
        else:
            assert isinstance(job, Idle)
            store.pass_time(20 if job.seconds is None else job.seconds)
            store.reclaim(10, 3)


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
        store.expire(10, 10**6)
    store.client.zadd(store.key("due"), {"loc": store.now * 1e6})
    found = store.job(job.id)
    assert found is not None
    if strict:
        assert found.state is State.EXPIRED
        return
    assert found.state is State.PENDING
    store.pass_time(began + held_for + 9.999 - store.now)
    store.expire(10, 10**6)
    released = store.release(seat()).next
    assert isinstance(released, Released)
    store.throttle(Report(job.id, 1, "{}", LIMITS), wait=0)
    store.pass_time(0.002)
    assert store.release(seat()).next == Idle(None)
    found = store.job(job.id)
    assert found is not None
    assert found.state is State.EXPIRED


def test_a_held_job_is_not_looked_at_again_and_again(store: ClockedStore, order: Orders) -> None:
    job = order("loc", expires_at=store.now + 0.001)
    store.hold("loc", "r", "ada")
    store.enqueue(job, 60)
    store.pass_time(1)
    assert store.expire(10, 3600) == []
    assert store.client.zscore(store.key("expiring"), job.id) == (store.now + 60) * 1e6
    store.resume("loc")
    store.pass_time(61)
    assert store.expire(10, 3600) == [job.id]


def test_expiry_stands_still_in_an_outage(store: ClockedStore, order: Orders) -> None:
    job = order("later", expires_at=store.now + 100, not_before=store.now + 50)
    store.enqueue(job, 60)
    begin_outage(store, order)
    store.pass_time(5000)
    assert store.expire(10, 3600) == []
    end_outage(store)
    found = store.job(job.id)
    assert found is not None
    assert found.state is State.DELIVERED


def test_neither_attempts_nor_age_run_out_in_an_outage(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    patience = Patience(max_attempts=2, max_age=60)
    for _ in range(20):
        store.pass_time(100)
        job = store.release(seat()).next
        assert isinstance(job, Released)
        assert isinstance(store.release(seat("w2")).next, Idle), "one probe at a time"
        report = Report(job.id, job.attempt, "{}", LIMITS)
        assert store.retry(report, delay=0, outage=RULE, patience=patience).code == "retried"
    ids = [f"job{n}" for n in (1, 2, 3)]
    assert [job.failures for job in store.jobs(ids) if job] == [0, 0, 0]
    end_outage(store)
    store.enqueue(order("x", "new"), 60)
    job = store.release(seat()).next
    assert isinstance(job, Released)
    report = Report(job.id, job.attempt, "{}", LIMITS)
    assert store.retry(report, delay=0, outage=RULE, patience=patience).code == "retried"
    store.pass_time(61)
    job = store.release(seat()).next
    assert isinstance(job, Released)
    report = Report(job.id, job.attempt, "{}", LIMITS)
    assert store.retry(report, delay=0, outage=RULE, patience=patience).code == "buried"


def test_a_worker_that_dies_with_the_probe_holds_the_gate_until_its_lease_ends(
    store: ClockedStore, order: Orders
) -> None:
    begin_outage(store, order)
    store.pass_time(1)
    assert store.survey(10, LIMITS).due == 1
    lost = store.release(seat("dead")).next
    assert isinstance(lost, Released)
    assert store.survey(10, LIMITS).due == 0
    assert store.release(seat()).next == Idle(30.0)
    store.pass_time(30)
    assert store.survey(10, LIMITS).due == 1
    job = store.release(seat()).next
    assert isinstance(job, Released)
    # What the dead one says after all opens nothing; the probe does.
    assert store.deliver(Report(job.id, job.attempt, "{}", LIMITS), retention=60).code == "delivered"
    outage = store.gate().outage
    assert outage is not None
    assert outage.room == 2


@pytest.mark.parametrize("answer", ["deliver", "throttle", "refuse", "not down"])
def test_any_answer_of_the_api_opens_the_gate_a_little(store: ClockedStore, order: Orders, answer: str) -> None:
    begin_outage(store, order)
    store.pass_time(1)
    job = store.release(seat()).next
    assert isinstance(job, Released)
    report = Report(job.id, job.attempt, "{}", LIMITS, Told())
    if answer == "deliver":
        store.deliver(report, retention=60)
    elif answer == "throttle":
        store.throttle(report, wait=1)
    elif answer == "refuse":
        store.bury(report, reason="refused")
    else:
        store.retry(report, delay=0)
    outage = store.gate().outage
    assert outage is not None
    assert outage.room == 2


def test_what_was_never_sent_is_no_answer(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    store.pass_time(1)
    job = store.release(seat()).next
    assert isinstance(job, Released)
    store.bury(Report(job.id, job.attempt, "{}", LIMITS), reason="refused")
    outage = store.gate().outage
    assert outage is not None
    assert outage.room == 1
    assert isinstance(store.release(seat()).next, Released), "the next probe goes at once"


def test_an_outage_with_little_to_send_is_over_when_all_is_quiet(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    store.pass_time(1)
    job = store.release(seat()).next
    assert isinstance(job, Released)
    store.deliver(Report(job.id, job.attempt, "{}", LIMITS), retention=60)
    store.pass_time(59)
    store.reclaim(10, 3)
    assert store.gate().outage is not None
    store.pass_time(2)
    store.reclaim(10, 3)
    assert store.gate() == Gate()
    began, ended = store.take_notice(30, None), store.take_notice(30, None)
    assert began is not None
    assert ended is not None
    assert (began.event, ended.event) == ("outage_began", "outage_ended")
    assert ended.facts == {"seconds": 62}


def test_everything_held_in_an_outage_sends_no_probe(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    store.hold_all("wait", "ada")
    store.pass_time(100)
    assert store.release(seat()).next == Idle(None)
    assert store.survey(10, LIMITS).due == 0
    store.resume_all()
    assert isinstance(store.release(seat()).next, Released)
    assert isinstance(store.release(seat("w2")).next, Idle)


def test_a_hold_wakes_nobody_and_its_end_wakes_the_dispatchers(store: ClockedStore, order: Orders) -> None:
    with store.client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(store.key("wake"))
        channel.get_message(timeout=5)
        store.hold_all("r", "ada")
        store.enqueue(order("loc"), 60)
        store.client.publish(store.key("wake"), "mark")
        assert channel.get_message(timeout=5)["data"] == b"mark"
        store.resume_all()
        assert channel.get_message(timeout=5)["data"] == b""


def test_a_release_costs_no_command_more_while_the_gate_is_open(store: ClockedStore, order: Orders) -> None:
    """Read off what Redis counted: the gate stands in a key that is read anyway."""
    for n in range(3):
        store.enqueue(order("loc", f"r{n}"), 60)
    store.client.config_resetstat()
    store.release(seat())
    stats = store.client.info("commandstats")
    assert stats["cmdstat_zrange"]["calls"] == 2


def test_a_location_counts_for_no_more_than_its_share(store: ClockedStore, order: Orders) -> None:
    """Seven failures of one location and one of each of two others are no outage of nine over three."""
    rule = OutageRule(failures=9, locations=3, gap=1, most_gap=60)
    for name in [*("x" * 7), "y", "z"]:
        store.enqueue(order(name, f"r{order.made}"), 60)
        job = store.release(seat(f"w{order.made}", LIMITS_OF_MANY)).next
        assert isinstance(job, Released)
        store.retry(Report(job.id, job.attempt, "{}", LIMITS_OF_MANY), delay=100, outage=rule)
    assert store.gate().outage is None


def test_what_was_on_its_way_when_the_gate_shut_again_opens_nothing(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    store.pass_time(1)
    first = store.release(seat()).next
    assert isinstance(first, Released)
    store.deliver(Report(first.id, first.attempt, "{}", LIMITS), retention=60)
    one, two = (store.release(seat(name)).next for name in ("w1", "w2"))
    assert isinstance(one, Released)
    assert isinstance(two, Released)
    assert fail(store, one) == "retried"
    outage = store.gate().outage
    assert outage is not None
    assert outage.room == 1
    store.enqueue(order("new"), 60)
    store.pass_time(2)
    assert isinstance(store.release(seat("w3")).next, Released), "a probe, though the other is on its way still"
    store.deliver(Report(two.id, two.attempt, "{}", LIMITS), retention=60)
    assert store.gate().outage is not None
    assert isinstance(store.release(seat("w4")).next, Idle)


def test_a_location_that_fails_while_others_are_answered_shuts_the_gate_but_once(
    store: ClockedStore, order: Orders
) -> None:
    begin_outage(store, order)
    store.hold("y", "not in this test", "ada")
    store.hold("z", "not in this test", "ada")

    def room() -> int:
        outage = store.gate().outage
        assert outage is not None
        return outage.room

    def answer_another() -> None:
        store.enqueue(order("well", f"r{order.made}"), 60)
        store.hold("x", "for now", "ada")
        store.pass_time(1)
        job = store.release(seat("well")).next
        assert isinstance(job, Released)
        assert job.location_id == "well"
        store.deliver(Report(job.id, job.attempt, "{}", LIMITS), retention=60)
        store.resume("x")

    def fail_again() -> None:
        assert isinstance(store.release(seat("x")).next, Idle), "it waits by itself"
        store.pass_time(59)
        job = store.release(seat("x")).next
        assert isinstance(job, Released)
        assert job.location_id == "x"
        assert fail(store, job) == "retried"

    answer_another()
    assert room() == 2
    job = store.release(seat("x")).next
    assert isinstance(job, Released)
    assert fail(store, job) == "retried"
    assert room() == 1
    answer_another()
    assert room() == 2
    fail_again()
    assert room() == 2
    store.pass_time(1)
    fail_again()
    assert room() == 1, "nobody was answered in between"
