"""Outages, made step by step."""

from lanes.results import Idle, Released
from lanes.transitions import Limits, OutageRule, Report
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
