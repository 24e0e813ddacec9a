"""`Retry-After` of a failure: no retry and no probe goes out earlier."""

import pytest

from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, BreakerPolicy, DefaultLimits, RateLimitInfo
from tests.lanes.breaker.outage_steps import begin_outage
from tests.lanes.conftest import ClockedStore, Orders, make_consumer

MANY = DefaultLimits(burst=100, window=10, daily=1000)
BREAKER_POLICY = BreakerPolicy(failures=3, locations=3, gap=1, max_gap=4)
ASKED = 90.0


def release(store: ClockedStore, worker: str = "w1") -> Released:
    job = store.release(make_consumer(worker, MANY)).next
    assert isinstance(job, Released)
    return job


def retry(
    store: ClockedStore, job: Released, *, min_delay: float = ASKED, delay: float = 0, outage: bool = True
) -> None:
    report = AttemptReport(job.id, job.attempt, "{}", MANY, RateLimitInfo())
    rule = BREAKER_POLICY if outage else None
    assert store.retry(report, delay=delay, min_delay=min_delay, outage=rule).code == "retried"


def quiet(store: ClockedStore) -> float:
    """Let time pass until a job is released; return how much passed."""
    began = store.now
    while isinstance(found := store.release(make_consumer("w9", MANY)).next, Idle):
        assert found.seconds is not None
        store.pass_time(max(found.seconds, 0.000001))
    return store.now - began


@pytest.mark.parametrize(("delay", "min_delay", "waits"), [(2, ASKED, ASKED), (200, ASKED, 200), (2, 0, 2)])
def test_a_job_waits_at_least_as_long(
    store: ClockedStore, order: Orders, delay: float, min_delay: float, waits: float
) -> None:
    store.enqueue(order(), 60)
    retry(store, release(store), delay=delay, min_delay=min_delay, outage=False)
    assert quiet(store) == pytest.approx(waits)


def test_no_other_job_of_the_lane_waits_for_it(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), 60)
    retry(store, release(store))
    store.enqueue(order(record="pipe/other"), 60)
    assert release(store).id == "job2"


def test_the_failure_that_begins_an_outage_says_when_the_first_probe_goes(store: ClockedStore, order: Orders) -> None:
    for name in ("x", "y", "z", "v"):
        store.enqueue(order(name, name), 60)
    jobs = [release(store, name) for name in ("x", "y", "z")]
    for job in jobs:
        retry(store, job)
    assert store.global_state().outage is not None
    assert quiet(store) == pytest.approx(ASKED)


def test_a_probe_that_fails_says_when_the_next_one_goes(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    store.pass_time(1)
    retry(store, release(store))
    store.pass_time(ASKED - 0.001)
    assert isinstance(store.release(make_consumer("early", MANY)).next, Idle)
    store.pass_time(0.001)
    retry(store, release(store), min_delay=0)
    assert 3 <= quiet(store) <= 4, "the gap itself has grown as without it"


def test_a_shorter_retry_after_shortens_no_gap(store: ClockedStore, order: Orders) -> None:
    begin_outage(store, order)
    store.pass_time(1)
    retry(store, release(store), min_delay=0.1)
    assert 1.5 <= quiet(store) <= 2


def test_a_failure_in_an_outage_that_is_no_probe_delays_no_probe(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order("w", "w"), 60)
    early = release(store, "early")
    begin_outage(store, order)
    retry(store, early)
    assert quiet(store) <= 1


def test_a_failing_lane_sends_its_next_probe_no_earlier(store: ClockedStore, order: Orders) -> None:
    for number in range(5):
        store.enqueue(order(record=f"pipe/{number}"), 60)
    for _ in range(BREAKER_POLICY.failures):
        retry(store, release(store), min_delay=0, delay=1000)
    store.pass_time(1)
    retry(store, release(store), delay=1000)
    assert quiet(store) == pytest.approx(ASKED)


def test_the_first_failure_of_a_failing_lane_delays_its_probe_too(store: ClockedStore, order: Orders) -> None:
    for number in range(5):
        store.enqueue(order(record=f"pipe/{number}"), 60)
    for min_delay in (0, 0, ASKED):
        retry(store, release(store), min_delay=min_delay, delay=1000)
    assert quiet(store) == pytest.approx(ASKED)


def test_a_location_that_fails_alone_waits_that_long(store: ClockedStore, order: Orders) -> None:
    """Where others are answered on the way out of an outage, its pause is its own."""
    begin_outage(store, order)
    store.pass_time(1)
    probe = release(store)
    store.deliver(AttemptReport(probe.id, probe.attempt, "{}", MANY, RateLimitInfo()), retention=60)
    sick = release(store)
    retry(store, sick)
    backoff_until = store.client.hget(store.key("lane", sick.location_id), "backoff_until")
    assert float(backoff_until or 0) / 1e6 == store.now + ASKED
