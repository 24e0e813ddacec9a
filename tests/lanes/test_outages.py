"""An outage step by step: probes, what opens the gate and what shuts it, whose fault a failure is."""

import pytest

from lanes.gate import Gate
from lanes.results import Idle, Released
from lanes.transitions import OutageRule, Patience, Report, Told
from tests.lanes.conftest import LIMITS, ClockedStore, Orders, seat
from tests.lanes.outages import LIMITS_OF_MANY, RULE, begin_outage, end_outage, fail


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


def test_a_lane_that_begins_to_fail_waits_no_less_than_a_429_told_it(store: ClockedStore, order: Orders) -> None:
    for number in range(5):
        store.enqueue(order("loc", f"r{number}"), 60)
    jobs = [store.release(seat(f"w{number}", LIMITS_OF_MANY)).next for number in range(4)]
    reports = [Report(job.id, job.attempt, "{}", LIMITS_OF_MANY) for job in jobs if isinstance(job, Released)]
    assert store.throttle(reports[0], wait=60).code == "throttled"
    for report in reports[1:]:
        assert store.retry(report, delay=0, outage=RULE).code == "retried"
    assert store.lanes(["loc"])[0].failing == RULE.failures
    assert store.release(seat("w", LIMITS_OF_MANY)).next == Idle(60)
