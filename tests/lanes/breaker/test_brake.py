"""The brake of a lane step by step: what closes it, what its probes do, what ends it."""

from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport, BreakerPolicy
from tests.lanes.breaker.brake_steps import (
    LIMITS,
    OTHER_STATUS,
    REFUSAL,
    brake_of,
    close,
    deliver,
    enqueue,
    is_idle,
    refuse,
    report,
    send,
    send_many,
)
from tests.lanes.conftest import ClockedStore, Orders

OUTAGE = BreakerPolicy(failures=50, locations=3, gap=1, max_gap=8)


def test_refusals_in_a_row_close_it_and_requests_out_are_requeued_in_order(store: ClockedStore, order: Orders) -> None:
    out = close(store, order)
    assert store.counts()["dead"] == REFUSAL.limit
    assert [refuse(store, job) for job in out] == ["braked", "braked"]
    assert store.counts()["dead"] == REFUSAL.limit
    for job in out:
        found = store.job(job.id)
        assert found is not None
        assert (found.state, found.failures, found.ended_at) == ("pending", 0, None)
        assert [(each.outcome, each.detail["status"]) for each in found.attempts] == [("braked", 403)]
    ready: Any = store.client.zrange(store.key("ready", "loc"), 0, -1)
    assert ready == [b"job4", b"job5", b"job6", b"job7", b"job8"], "in the order in which they were accepted"
    assert list(check_consistency(store)) == []
    assert [report_again(store, job) for job in out] == ["stale", "stale"]


def report_again(store: ClockedStore, job: Released) -> str:
    return refuse(store, job)


def test_a_delivery_in_between_resets_the_count(store: ClockedStore, order: Orders) -> None:
    enqueue(store, order, jobs=6)
    jobs = send_many(store, 6)
    for job, end in zip(jobs, (refuse, refuse, deliver, refuse, refuse), strict=False):
        end(store, job)
    assert brake_of(store) is None
    refuse(store, jobs[5])
    assert brake_of(store) is not None


def test_without_a_limit_there_is_no_brake(store: ClockedStore, order: Orders) -> None:
    enqueue(store, order)
    assert [refuse(store, job, None) for job in send_many(store, 8)] == ["buried"] * 8
    assert brake_of(store) is None


@pytest.mark.parametrize("end", ["unauthorized", "throttle", "fail", "not down", "requeue"])
def test_other_outcomes_neither_count_nor_reset(store: ClockedStore, order: Orders, end: str) -> None:
    enqueue(store, order, jobs=3)
    first, second, third = send_many(store, 3)
    refuse(store, first)
    for number in range(4):
        store.enqueue(order("loc", f"other{number}", priority=9), 60)
        sent = send(store)
        if end == "unauthorized":
            store.bury(report(sent), reason="unauthorized", hold="no")
            store.resume("loc")
        elif end == "throttle":
            store.throttle(report(sent), wait=1)
        elif end == "fail":
            store.retry(AttemptReport(sent.id, sent.attempt, "{}", LIMITS), delay=500, outage=OUTAGE)
        elif end == "not down":
            store.retry(report(sent), delay=500)
        else:
            store.requeue(report(sent), wait=1, sent=True)
        store.pass_time(2)
    refuse(store, second)
    assert brake_of(store) is None
    refuse(store, third)
    brake = brake_of(store)
    assert brake is not None
    assert brake.refusals == REFUSAL.limit


def test_a_refused_replay_does_not_count(store: ClockedStore, order: Orders) -> None:
    enqueue(store, order, jobs=3)
    first, second, third = send_many(store, 3)
    refuse(store, first)
    for _ in range(4):
        assert store.replay(first.id) == "replayed"
        store.pass_time(0.001)
        assert refuse(store, send(store)) == "buried"
    refuse(store, second)
    assert brake_of(store) is None
    refuse(store, third)
    assert brake_of(store) is not None


@pytest.mark.parametrize("who", ["the probe", "one that was out", "a stale one", "one of a dead job"])
def test_the_first_delivery_ends_it_whichever_it_is(store: ClockedStore, order: Orders, who: str) -> None:
    out = close(store, order)
    if who == "the probe":
        store.pass_time(1)
        job = send(store)
    elif who == "one that was out":
        job = out[0]
    elif who == "a stale one":
        job = out[0]
        store.pass_time(31)
        store.reclaim(10, 99)
    else:
        job = Released("job1", "loc", 1, 0, store.now, 0, "", b"")
    assert deliver(store, job) == "delivered"
    assert brake_of(store) is None
    assert len(send_many(store, 2)) == 2
    for job in out[1:]:
        assert refuse(store, job) == ("stale" if who == "a stale one" else "buried"), "a row of one"
    assert brake_of(store) is None
    assert list(check_consistency(store)) == []


def test_a_replay_neither_counts_nor_resets(store: ClockedStore, order: Orders) -> None:
    """Its delivery ends a brake that is closed; then one refusal is enough to close it again."""
    close(store, order)
    assert store.replay("job1") == "replayed"
    for _ in range(50):
        store.pass_time(8)
        job = send(store)
        if job.id == "job1":
            break
        store.requeue(report(job), wait=0, sent=False)
    assert deliver(store, job) == "delivered"
    assert brake_of(store) is None
    refuse(store, send(store))
    assert brake_of(store) is not None


def test_a_hold_precedes_it_and_it_continues_afterwards(store: ClockedStore, order: Orders) -> None:
    close(store, order)
    store.hold("loc", "to look at it", "ada")
    store.pass_time(100)
    assert is_idle(store)
    assert list(check_consistency(store)) == []
    assert store.resume("loc") == "resumed"
    assert brake_of(store) is not None
    assert list(check_consistency(store)) == []
    send(store)
    assert is_idle(store)


def test_a_refusal_that_comes_while_the_lane_is_held_closes_it(store: ClockedStore, order: Orders) -> None:
    enqueue(store, order)
    jobs = send_many(store, 3)
    store.hold("loc", "to look at it", "ada")
    for job in jobs:
        refuse(store, job)
    assert brake_of(store) is not None
    assert list(check_consistency(store)) == []
    store.resume("loc")
    assert is_idle(store)
    assert list(check_consistency(store)) == []


def test_a_person_ends_the_brake_that_was_seen_and_no_other(store: ClockedStore, order: Orders) -> None:
    close(store, order)
    seen = brake_of(store)
    assert seen is not None
    assert store.end_brake("loc", seen.since - 1) == "changed"
    assert brake_of(store) == seen
    assert store.end_brake("elsewhere", seen.since) == "free"
    assert store.end_brake("loc", seen.since) == "ended"
    assert store.end_brake("loc", seen.since) == "free"
    jobs = send_many(store, 2)
    assert [refuse(store, job) for job in jobs] == ["buried", "buried"]
    assert brake_of(store) is None, "the row begins anew"
    assert list(check_consistency(store)) == []


def test_its_time_counts_as_held_time_however_holds_overlap_it(store: ClockedStore, order: Orders) -> None:
    enqueue(store, order)
    store.enqueue(order("loc", "brief", expires_at=store.now + 50), 60)
    jobs = send_many(store, 3)
    store.pass_time(10)
    store.hold("loc", "first the hold", "ada")
    store.pass_time(10)
    for job in jobs:
        refuse(store, job)
    store.pass_time(10)
    store.resume("loc")
    store.pass_time(10)
    store.hold("loc", "now in the middle", "ada")
    store.pass_time(10)
    brake = brake_of(store)
    assert brake is not None
    assert store.end_brake("loc", brake.since) == "ended"
    store.pass_time(10)
    assert list(check_consistency(store)) == []
    store.resume("loc")
    assert list(check_consistency(store)) == []
    where = store.queue_position("job9")
    assert where is not None
    assert where.expires_at == store.now - 60 + 50 + 50
    store.pass_time(41)
    store.expire(10)
    found = store.job("job9")
    assert found is not None
    assert found.state == "expired"


def test_it_shows_why_a_job_waits(store: ClockedStore, order: Orders) -> None:
    close(store, order, refusal=OTHER_STATUS)
    store.hold("loc", "to look at it", "ada")
    where = store.queue_position("job8")
    assert where is not None
    waits = {wait.cause.value: wait for wait in where.blockers()}
    assert list(waits)[:2] == ["lane_held", "lane_braked"]
    words = "on the brake after 3 refusals in a row, the last with status 404"
    assert words in waits["lane_braked"].words
    brake = brake_of(store)
    assert brake is not None
    assert waits["lane_braked"].until == pytest.approx(store.now + brake.next_probe_in)
    lane = store.lanes(["loc"])[0].as_json()
    assert lane["brake"] == {
        "since": store.now,
        "next_probe_in": brake.next_probe_in,
        "refusals": 3,
        "status": 404,
    }


def test_its_start_and_its_end_send_notifications(store: ClockedStore, order: Orders) -> None:
    close(store, order)
    store.pass_time(7)
    deliver(store, send(store))
    notifications = [store.claim_notification(30, None) for _ in range(2)]
    assert [(notification.event, notification.facts) for notification in notifications if notification] == [
        ("lane_braked", {"location": "loc", "refusals": 3, "status": 403}),
        ("lane_brake_ended", {"location": "loc", "seconds": 7, "by": "delivery"}),
    ]
