"""`requeue`: the job goes back to its place and out again, with no attempt spent."""

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.job import State
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, DefaultLimits
from tests.lanes.conftest import ClockedStore, Orders, make_consumer

LIMITS = DefaultLimits(burst=2, window=10, daily=1000)


def released(store: ClockedStore, worker: str = "w1") -> Released:
    job = store.release(make_consumer(worker)).next
    assert isinstance(job, Released)
    return job


def test_it_goes_out_again_at_once_before_the_jobs_it_blocks(store: ClockedStore, order: Orders) -> None:
    first, second = order(record="pipe/a"), order(record="pipe/b")
    for each in (first, second):
        store.enqueue(each, 60)
    job = released(store)
    result = store.requeue(
        AttemptReport(job.id, 1, '{"status":401}', LIMITS), wait=0, sent=True, release_for=make_consumer()
    )
    assert result.code == "requeued"
    assert isinstance(result.next, Released)
    assert (result.next.id, result.next.attempt, result.next.failures) == (first.id, 2, 0)
    stored = store.job(first.id)
    assert stored is not None
    assert [(attempt.outcome, attempt.detail) for attempt in stored.attempts] == [("requeued", {"status": 401})]
    assert list(check_consistency(store)) == []


@pytest.mark.parametrize(("sent", "slots"), [(True, 1), (False, 0)])
def test_a_request_that_was_made_stays_charged_and_another_does_not(
    store: ClockedStore, order: Orders, sent: bool, slots: int
) -> None:
    store.enqueue(order(), 60)
    job = released(store)
    store.requeue(AttemptReport(job.id, 1, "{}", LIMITS), wait=1, sent=sent)
    assert store.client.zcard(store.key("rate_slots", "loc")) == slots
    stored = store.job(job.id)
    assert stored is not None
    assert (stored.state, len(stored.attempts)) == (State.PENDING, slots)
    assert store.lanes()[0].window_used == slots


def test_only_its_lane_waits(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order("slow"), 60)
    job = released(store)
    store.enqueue(order("slow", "pipe/other"), 60)
    store.enqueue(order("fast"), 60)
    store.requeue(AttemptReport(job.id, 1, "{}", LIMITS), wait=5, sent=False)
    assert released(store, "w2").location_id == "fast"
    waits = store.release(make_consumer("w3")).next
    assert waits == Idle(5.0)
    store.pass_time(5)
    assert released(store, "w3").id == job.id


def test_in_a_held_lane_it_waits(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), 60)
    job = released(store)
    store.hold("loc", "to look at it", "operator")
    assert store.requeue(
        AttemptReport(job.id, 1, "{}", LIMITS), wait=0, sent=True, release_for=make_consumer()
    ).next == Idle(None)
    assert list(check_consistency(store)) == []


def test_a_stale_report_changes_nothing(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), 60)
    job = released(store)
    store.pass_time(31)
    store.reclaim(10, 5)
    assert store.requeue(AttemptReport(job.id, 1, "{}", LIMITS), wait=100, sent=True).code == "stale"
    assert released(store, "w2").attempt == 2
    assert store.requeue(AttemptReport("nobody", 1, "{}", LIMITS), wait=0, sent=True).code == "unknown"


def test_a_refusal_does_not_replace_an_operators_hold(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), 60)
    job = released(store)
    store.hold("loc", "to look at it", "anna")
    store.bury(AttemptReport(job.id, 1, "{}", LIMITS), reason="unauthorized", hold="Invalid JWT")
    lane = store.lanes()[0]
    assert (lane.hold, lane.held_by) == ("to look at it", "anna")
