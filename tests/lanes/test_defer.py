"""`defer`: the job goes back to its place and out again, with no attempt spent."""

import pytest

from lanes.audit import audit
from lanes.job import State
from lanes.results import Idle, Released
from lanes.transitions import Limits, Report
from tests.lanes.conftest import ClockedStore, Orders, seat

LIMITS = Limits(burst=2, window=10, daily=1000)


def released(store: ClockedStore, worker: str = "w1") -> Released:
    job = store.release(seat(worker)).next
    assert isinstance(job, Released)
    return job


def test_it_goes_out_again_at_once_before_those_behind_it(store: ClockedStore, order: Orders) -> None:
    first, second = order(record="pipe/a"), order(record="pipe/b")
    for each in (first, second):
        store.enqueue(each, 60)
    job = released(store)
    result = store.defer(Report(job.id, 1, '{"status":401}', LIMITS), wait=0, sent=True, take=seat())
    assert result.code == "deferred"
    assert isinstance(result.next, Released)
    assert (result.next.id, result.next.attempt, result.next.failures) == (first.id, 2, 0)
    stored = store.job(first.id)
    assert stored is not None
    assert [(attempt.outcome, attempt.detail) for attempt in stored.attempts] == [("again", {"status": 401})]
    assert list(audit(store)) == []


@pytest.mark.parametrize(("sent", "slots"), [(True, 1), (False, 0)])
def test_a_request_that_was_made_stays_charged_and_another_does_not(
    store: ClockedStore, order: Orders, sent: bool, slots: int
) -> None:
    store.enqueue(order(), 60)
    job = released(store)
    store.defer(Report(job.id, 1, "{}", LIMITS), wait=1, sent=sent)
    assert store.client.zcard(store.key("slots", "loc")) == slots
    stored = store.job(job.id)
    assert stored is not None
    assert (stored.state, len(stored.attempts)) == (State.PENDING, slots)
    assert store.lanes()[0].window_used == slots


def test_its_lane_waits_and_no_other(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order("slow"), 60)
    job = released(store)
    store.enqueue(order("slow", "pipe/other"), 60)
    store.enqueue(order("fast"), 60)
    store.defer(Report(job.id, 1, "{}", LIMITS), wait=5, sent=False)
    assert released(store, "w2").location_id == "fast"
    waits = store.release(seat("w3")).next
    assert waits == Idle(5.0)
    store.pass_time(5)
    assert released(store, "w3").id == job.id


def test_in_a_held_lane_it_waits(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), 60)
    job = released(store)
    store.hold("loc", "to look at it", "operator")
    assert store.defer(Report(job.id, 1, "{}", LIMITS), wait=0, sent=True, take=seat()).next == Idle(None)
    assert list(audit(store)) == []


def test_a_stale_report_changes_nothing(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), 60)
    job = released(store)
    store.pass_time(31)
    store.reclaim(10, 5)
    assert store.defer(Report(job.id, 1, "{}", LIMITS), wait=100, sent=True).code == "stale"
    assert released(store, "w2").attempt == 2
    assert store.defer(Report("nobody", 1, "{}", LIMITS), wait=0, sent=True).code == "unknown"


def test_a_hold_of_an_operator_is_not_taken_over_by_a_refusal(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), 60)
    job = released(store)
    store.hold("loc", "to look at it", "anna")
    store.bury(Report(job.id, 1, "{}", LIMITS), reason="unauthorized", hold="Invalid JWT")
    lane = store.lanes()[0]
    assert (lane.hold, lane.held_by) == ("to look at it", "anna")
