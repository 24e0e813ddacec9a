"""An outage step by step: probes, what opens and closes the breaker, and which failures count."""

import pytest

from lanes.queue.global_state import GlobalState
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, BreakerPolicy, RateLimitInfo, RetryPolicy
from tests.lanes.breaker.outage_steps import BREAKER_POLICY, LIMITS_OF_MANY, begin_outage, end_outage, fail
from tests.lanes.conftest import LIMITS, ClockedStore, Orders, make_consumer


def test_neither_attempts_nor_age_run_out_in_an_outage(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    retry_policy = RetryPolicy(max_attempts=2, max_age=60)
    for _ in range(20):
        store.pass_time(100)
        job = store.release(make_consumer()).next
        assert isinstance(job, Released)
        assert isinstance(store.release(make_consumer("w2")).next, Idle), "one probe at a time"
        report = AttemptReport(job.id, job.attempt, "{}", LIMITS)
        assert store.retry(report, delay=0, outage=BREAKER_POLICY, retry_policy=retry_policy).code == "retried"
    ids = [f"job{n}" for n in (1, 2, 3)]
    assert [job.failures for job in store.jobs(ids) if job] == [0, 0, 0]
    end_outage(store)
    store.enqueue(order("x", "new"), 60)
    job = store.release(make_consumer()).next
    assert isinstance(job, Released)
    report = AttemptReport(job.id, job.attempt, "{}", LIMITS)
    assert store.retry(report, delay=0, outage=BREAKER_POLICY, retry_policy=retry_policy).code == "retried"
    store.pass_time(61)
    job = store.release(make_consumer()).next
    assert isinstance(job, Released)
    report = AttemptReport(job.id, job.attempt, "{}", LIMITS)
    assert store.retry(report, delay=0, outage=BREAKER_POLICY, retry_policy=retry_policy).code == "buried"


def test_a_worker_that_dies_with_the_probe_keeps_the_breaker_open_until_its_lease_ends(
    store: ClockedStore, order: Orders
) -> None:
    begin_outage(store, order)
    store.pass_time(1)
    assert store.count_due(10, LIMITS).due == 1
    lost = store.release(make_consumer("dead")).next
    assert isinstance(lost, Released)
    assert store.count_due(10, LIMITS).due == 0
    assert store.release(make_consumer()).next == Idle(30.0)
    store.pass_time(30)
    assert store.count_due(10, LIMITS).due == 1
    job = store.release(make_consumer()).next
    assert isinstance(job, Released)
    # What the dead one says after all opens nothing; the probe does.
    assert store.deliver(AttemptReport(job.id, job.attempt, "{}", LIMITS), retention=60).code == "delivered"
    outage = store.global_state().outage
    assert outage is not None
    assert outage.half_open_limit == 2


@pytest.mark.parametrize("answer", ["deliver", "throttle", "refuse", "not down"])
def test_any_answer_of_the_api_makes_the_breaker_half_open(store: ClockedStore, order: Orders, answer: str) -> None:
    begin_outage(store, order)
    store.pass_time(1)
    job = store.release(make_consumer()).next
    assert isinstance(job, Released)
    report = AttemptReport(job.id, job.attempt, "{}", LIMITS, RateLimitInfo())
    if answer == "deliver":
        store.deliver(report, retention=60)
    elif answer == "throttle":
        store.throttle(report, wait=1)
    elif answer == "refuse":
        store.bury(report, reason="refused")
    else:
        store.retry(report, delay=0)
    outage = store.global_state().outage
    assert outage is not None
    assert outage.half_open_limit == 2


def test_an_unsent_request_is_no_answer(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    store.pass_time(1)
    job = store.release(make_consumer()).next
    assert isinstance(job, Released)
    store.bury(AttemptReport(job.id, job.attempt, "{}", LIMITS), reason="refused")
    outage = store.global_state().outage
    assert outage is not None
    assert outage.half_open_limit == 1
    assert isinstance(store.release(make_consumer()).next, Released), "the next probe goes at once"


def test_an_outage_with_little_to_send_is_over_when_all_is_quiet(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    store.pass_time(1)
    job = store.release(make_consumer()).next
    assert isinstance(job, Released)
    store.deliver(AttemptReport(job.id, job.attempt, "{}", LIMITS), retention=60)
    store.pass_time(59)
    store.reclaim(10, 3)
    assert store.global_state().outage is not None
    store.pass_time(2)
    store.reclaim(10, 3)
    assert store.global_state() == GlobalState()
    began, ended = store.claim_notification(30, None), store.claim_notification(30, None)
    assert began is not None
    assert ended is not None
    assert (began.event, ended.event) == ("outage_began", "outage_ended")
    assert ended.facts == {"seconds": 62}


def test_a_location_counts_for_no_more_than_its_share(store: ClockedStore, order: Orders) -> None:
    """Seven failures of one location and one of each of two others are no outage of nine over three."""
    rule = BreakerPolicy(failures=9, locations=3, gap=1, max_gap=60)
    for name in [*("x" * 7), "y", "z"]:
        store.enqueue(order(name, f"r{order.made}"), 60)
        job = store.release(make_consumer(f"w{order.made}", LIMITS_OF_MANY)).next
        assert isinstance(job, Released)
        store.retry(AttemptReport(job.id, job.attempt, "{}", LIMITS_OF_MANY), delay=100, outage=rule)
    assert store.global_state().outage is None


def test_requests_in_flight_when_the_breaker_opened_again_close_nothing(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    store.pass_time(1)
    first = store.release(make_consumer()).next
    assert isinstance(first, Released)
    store.deliver(AttemptReport(first.id, first.attempt, "{}", LIMITS), retention=60)
    one, two = (store.release(make_consumer(name)).next for name in ("w1", "w2"))
    assert isinstance(one, Released)
    assert isinstance(two, Released)
    assert fail(store, one) == "retried"
    outage = store.global_state().outage
    assert outage is not None
    assert outage.half_open_limit == 1
    store.enqueue(order("new"), 60)
    store.pass_time(2)
    assert isinstance(store.release(make_consumer("w3")).next, Released), (
        "a probe, though the other is on its way still"
    )
    store.deliver(AttemptReport(two.id, two.attempt, "{}", LIMITS), retention=60)
    assert store.global_state().outage is not None
    assert isinstance(store.release(make_consumer("w4")).next, Idle)


def test_a_location_that_fails_alone_opens_the_breaker_only_once(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    store.hold("y", "not in this test", "ada")
    store.hold("z", "not in this test", "ada")

    def half_open_limit() -> int:
        outage = store.global_state().outage
        assert outage is not None
        return outage.half_open_limit

    def answer_another() -> None:
        store.enqueue(order("well", f"r{order.made}"), 60)
        store.hold("x", "for now", "ada")
        store.pass_time(1)
        job = store.release(make_consumer("well")).next
        assert isinstance(job, Released)
        assert job.location_id == "well"
        store.deliver(AttemptReport(job.id, job.attempt, "{}", LIMITS), retention=60)
        store.resume("x")

    def fail_again() -> None:
        assert isinstance(store.release(make_consumer("x")).next, Idle), "it waits by itself"
        store.pass_time(59)
        job = store.release(make_consumer("x")).next
        assert isinstance(job, Released)
        assert job.location_id == "x"
        assert fail(store, job) == "retried"

    answer_another()
    assert half_open_limit() == 2
    job = store.release(make_consumer("x")).next
    assert isinstance(job, Released)
    assert fail(store, job) == "retried"
    assert half_open_limit() == 1
    answer_another()
    assert half_open_limit() == 2
    fail_again()
    assert half_open_limit() == 2
    store.pass_time(1)
    fail_again()
    assert half_open_limit() == 1, "nothing was answered in between"


def test_a_lane_that_starts_to_fail_waits_at_least_as_long_as_a_429_said(store: ClockedStore, order: Orders) -> None:
    for number in range(5):
        store.enqueue(order("loc", f"r{number}"), 60)
    jobs = [store.release(make_consumer(f"w{number}", LIMITS_OF_MANY)).next for number in range(4)]
    reports = [AttemptReport(job.id, job.attempt, "{}", LIMITS_OF_MANY) for job in jobs if isinstance(job, Released)]
    assert store.throttle(reports[0], wait=60).code == "throttled"
    for report in reports[1:]:
        assert store.retry(report, delay=0, outage=BREAKER_POLICY).code == "retried"
    assert store.lanes(["loc"])[0].failing == BREAKER_POLICY.failures
    assert store.release(make_consumer("w", LIMITS_OF_MANY)).next == Idle(60)
