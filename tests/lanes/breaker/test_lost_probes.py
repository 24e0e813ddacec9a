"""A single probe of a failing lane, and a stale success: what each of them changes."""

from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, BreakerPolicy, RateLimitInfo
from tests.lanes.breaker.brake_steps import LIMITS, brake_all, enqueue, probe, refuse, report, send, send_many
from tests.lanes.conftest import ClockedStore, Orders, make_consumer

BREAKER_POLICY = BreakerPolicy(failures=3, locations=3, gap=1, max_gap=60)


def fail(store: ClockedStore, job: Released, delay: float = 500) -> None:
    assert (
        store.retry(AttemptReport(job.id, job.attempt, "{}", LIMITS), delay=delay, outage=BREAKER_POLICY).code
        == "retried"
    )


def probe_of_a_failing_lane(store: ClockedStore, order: Orders) -> Released:
    enqueue(store, order)
    for job in send_many(store, 3):
        fail(store, job)
    assert store.lanes(["loc"])[0].failing == 3
    store.pass_time(2)
    return send(store)


def waits(store: ClockedStore) -> float:
    """Return for how long nothing can be released."""
    found = store.release(make_consumer("next", LIMITS)).next
    assert isinstance(found, Idle)
    assert found.seconds is not None
    return found.seconds


def test_a_lane_whose_probe_failed_is_due_after_the_gap_whatever_that_job_waits_for(
    store: ClockedStore, order: Orders
) -> None:
    fail(store, probe_of_a_failing_lane(store, order), delay=500)
    assert list(check_consistency(store)) == []
    assert 1.5 <= waits(store) <= 2


@pytest.mark.parametrize("end", ["unsent", "refused unsent"])
def test_a_probe_that_was_never_sent_leaves_its_lane_the_same_gap(store: ClockedStore, order: Orders, end: str) -> None:
    job = probe_of_a_failing_lane(store, order)
    if end == "unsent":
        store.requeue(AttemptReport(job.id, job.attempt, "{}", LIMITS), wait=0, sent=False)
    else:
        store.bury(AttemptReport(job.id, job.attempt, "{}", LIMITS), reason="refused")
    assert 0.75 <= waits(store) <= 1
    assert list(check_consistency(store)) == []


def test_a_probe_that_fails_in_an_outage_leaves_its_lane_the_same_gap(store: ClockedStore, order: Orders) -> None:
    job = probe_of_a_failing_lane(store, order)
    for name in ("x", "y"):
        enqueue(store, order, name, jobs=3)
        for other in send_many(store, 3):
            fail(store, other, delay=0)
    assert store.global_state().outage is not None
    fail(store, job)
    assert list(check_consistency(store)) == []
    backoff_until: Any = store.client.hget(store.key("lane", "loc"), "backoff_until")
    assert int(backoff_until) / 10**6 - store.now <= 1


def test_a_stale_success_from_before_the_refusals_ends_nothing_even_if_its_job_went_out_again(
    store: ClockedStore, order: Orders
) -> None:
    enqueue(store, order, "d", jobs=1)
    early = send(store)
    store.pass_time(31)
    store.reclaim(10, 99)
    store.hold("d", "until all are on the brake", "ada")
    brake_all(store, order)
    store.resume("d")
    while (job := probe(store)).id != early.id:
        refuse(store, job)
        store.pass_time(10)
    assert (
        store.deliver(AttemptReport(early.id, early.attempt, "{}", LIMITS, RateLimitInfo()), retention=60).code
        == "delivered"
    )
    assert store.global_state().brake is not None
    store.deliver(report(job), retention=60)
    assert store.global_state().brake is None, "the probe itself was taken, too"


def test_a_redelivered_probe_stays_the_only_one_of_its_lane(store: ClockedStore, order: Orders) -> None:
    enqueue(store, order)
    for job in send_many(store, 3):
        fail(store, job)
    store.pass_time(2)
    first = store.release(make_consumer("deaf", LIMITS)).next
    store.pass_time(20)
    assert store.release(make_consumer("deaf", LIMITS)).next == first
    store.pass_time(20)
    assert waits(store) == 10
