"""Outages, made step by step."""

from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, BreakerPolicy, DefaultLimits
from tests.lanes.conftest import LIMITS, ClockedStore, Orders, make_consumer

LIMITS_OF_MANY = DefaultLimits(burst=100, window=10, daily=1000)
BREAKER_POLICY = BreakerPolicy(failures=3, locations=3, gap=1, max_gap=60)


def fail(store: ClockedStore, job: Released) -> str:
    return store.retry(AttemptReport(job.id, job.attempt, "{}", LIMITS), delay=0, outage=BREAKER_POLICY).code


def begin_outage(store: ClockedStore, order: Orders) -> None:
    """Fail a request of each of three locations."""
    for name in ("x", "y", "z"):
        store.enqueue(order(name, name), 60)
    jobs = [store.release(make_consumer(name)).next for name in ("x", "y", "z")]
    for job in jobs:
        assert isinstance(job, Released)
        assert fail(store, job) == "retried"
    assert store.global_state().outage is not None


def end_outage(store: ClockedStore) -> None:
    """Deliver due jobs until the breaker is closed."""
    while store.global_state().outage is not None:
        job = store.release(make_consumer()).next
        if isinstance(job, Released):
            store.deliver(AttemptReport(job.id, job.attempt, "{}", LIMITS), retention=3600)
        else:
            assert isinstance(job, Idle)
            store.pass_time(20 if job.seconds is None else job.seconds)
            store.reclaim(10, 3)
