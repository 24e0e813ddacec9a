"""The wait after a 429 lasts its full time, whatever other answers the lane gets."""

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, RateLimitInfo
from tests.lanes.breaker.outage_steps import BREAKER_POLICY, LIMITS_OF_MANY
from tests.lanes.conftest import LIMITS, ClockedStore, Orders, make_consumer


def fail_behind_a_429(store: ClockedStore, order: Orders) -> AttemptReport:
    """A 429 asks for 60 s; then the lane fails; one request is still out: return its report."""
    for number in range(8):
        store.enqueue(order("loc", f"r{number}"), 60)
    jobs = [store.release(make_consumer(f"w{number}", LIMITS_OF_MANY)).next for number in range(5)]
    reports = [
        AttemptReport(job.id, job.attempt, "{}", LIMITS_OF_MANY, RateLimitInfo())
        for job in jobs
        if isinstance(job, Released)
    ]
    assert store.throttle(reports[0], wait=60).code == "throttled"
    for report in reports[1:4]:
        assert store.retry(report, delay=0, outage=BREAKER_POLICY).code == "retried"
    assert store.lanes(["loc"])[0].failing == BREAKER_POLICY.failures
    return reports[4]


@pytest.mark.parametrize("answer", ["deliver", "refuse", "not down", "requeued"])
def test_no_other_answer_of_its_lane_ends_the_pause_of_a_429(store: ClockedStore, order: Orders, answer: str) -> None:
    report = fail_behind_a_429(store, order)
    store.pass_time(2)
    if answer == "deliver":
        store.deliver(report, retention=60)
    elif answer == "refuse":
        store.bury(report, reason="refused")
    elif answer == "not down":
        store.retry(report, delay=0)
    else:
        store.requeue(report, wait=0, sent=True)
    assert store.lanes(["loc"])[0].failing == 0
    assert store.release(make_consumer("w", LIMITS_OF_MANY)).next == Idle(58)
    assert list(check_consistency(store)) == []
    where = store.queue_position("job8")
    assert where is not None
    wait = where.blockers()[0]
    assert (wait.cause, wait.until) == ("paused", store.now + 58)
    store.pass_time(58)
    assert isinstance(store.release(make_consumer("w", LIMITS_OF_MANY)).next, Released)


def test_a_shorter_wait_shortens_no_longer_one(store: ClockedStore, order: Orders) -> None:
    for number in range(3):
        store.enqueue(order("loc", f"r{number}"), 60)
    jobs = [store.release(make_consumer(f"w{number}")).next for number in range(2)]
    reports = [
        AttemptReport(job.id, job.attempt, "{}", LIMITS, RateLimitInfo()) for job in jobs if isinstance(job, Released)
    ]
    store.throttle(reports[0], wait=60)
    store.throttle(reports[1], wait=1)
    assert store.release(make_consumer("w")).next == Idle(60)
