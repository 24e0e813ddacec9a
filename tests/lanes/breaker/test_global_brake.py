"""The brake of all lanes step by step: several lanes are refused for the same, and nothing is delivered anywhere."""

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport, BreakerPolicy, CountedRefusal, RateLimitInfo
from tests.lanes.breaker.brake_steps import (
    LIMITS,
    OTHER_SHAPE,
    OTHER_STATUS,
    OUTAGE,
    REFUSAL,
    brake_all,
    brake_of,
    close,
    deliver,
    enqueue,
    is_idle,
    probe,
    refuse,
    report,
    send,
    send_many,
)
from tests.lanes.conftest import ClockedStore, Orders, make_consumer


def test_three_lanes_for_the_same_stop_all_with_single_probes(store: ClockedStore, order: Orders) -> None:
    brake = brake_all(store, order)
    assert (brake.status, store.global_state().outage) == (403, None)
    enqueue(store, order, "healthy")
    assert is_idle(store)
    assert list(check_consistency(store)) == []
    where = store.queue_position(f"job{order.made}")
    assert where is not None
    assert where.blockers()[0].cause == "all_braked"
    assert "all lanes are on the brake" in where.blockers()[0].words
    store.pass_time(1)
    assert store.count_due(10, LIMITS).due == 1
    assert isinstance(send(store), Released)
    assert is_idle(store), "one at a time"


def test_a_refused_probe_ends_nothing_and_doubles_the_gap(store: ClockedStore, order: Orders) -> None:
    brake_all(store, order)
    enqueue(store, order, "d", jobs=30)
    gaps = []
    for _ in range(5):
        brake = store.global_state().brake
        assert brake is not None
        gaps.append(brake.next_probe_in)
        refuse(store, probe_of(store, "d"))
        assert store.global_state().outage is None
    for gap, least in zip(gaps, (1, 2, 4, 8, 8), strict=True):
        assert 0.75 * least - 0.1 <= gap <= least


def probe_of(store: ClockedStore, location: str) -> Released:
    """Send the next probe, of this lane; the others have nothing to say."""
    for other in ("a", "b", "c"):
        store.hold(other, "not in this test", "ada")
    job = probe(store)
    assert job.location_id == location
    return job


@pytest.mark.parametrize("end", ["throttle", "fail", "not down", "unauthorized", "unsent"])
def test_a_probe_that_is_neither_refused_nor_delivered_ends_nothing(
    store: ClockedStore, order: Orders, end: str
) -> None:
    brake_all(store, order)
    enqueue(store, order, "d", jobs=30)
    job = probe_of(store, "d")
    if end == "throttle":
        store.throttle(report(job), wait=1)
    elif end == "fail":
        store.retry(AttemptReport(job.id, job.attempt, "{}", LIMITS), delay=0, outage=OUTAGE)
    elif end == "not down":
        store.retry(report(job), delay=0)
    elif end == "unauthorized":
        store.bury(report(job), reason="unauthorized")
    else:
        store.requeue(AttemptReport(job.id, job.attempt, "{}", LIMITS), wait=0, sent=False)
    assert store.global_state().brake is not None
    assert store.global_state().outage is None
    assert isinstance(probe(store), Released)
    assert is_idle(store)


def test_a_delivery_ends_it_at_once_and_lanes_keep_their_own_brakes(store: ClockedStore, order: Orders) -> None:
    brake_all(store, order)
    enqueue(store, order, "d", jobs=30)
    assert deliver(store, probe_of(store, "d")) == "delivered"
    assert store.global_state().brake is None
    assert len(send_many(store, 20)) == 20
    assert all(brake_of(store, name) for name in ("a", "b", "c"))
    assert list(check_consistency(store)) == []
    events = [notification.event for _ in range(10) if (notification := store.claim_notification(30, None))]
    # Those of one moment have no order.
    assert sorted(event for event in events if event != "lane_held") == [
        "all_brake_ended",
        "all_braked",
        "lane_braked",
        "lane_braked",
        "lane_braked",
    ]


@pytest.mark.parametrize("other", [OTHER_STATUS, OTHER_SHAPE])
def test_lanes_refused_for_another_reason_do_not_count(
    store: ClockedStore, order: Orders, other: CountedRefusal
) -> None:
    for name, refusal in (("a", REFUSAL), ("b", other), ("c", REFUSAL)):
        close(store, order, name, refusal)
        store.pass_time(0.1)
    assert store.global_state().brake is None
    close(store, order, "d", REFUSAL)
    assert store.global_state().brake is not None


def test_a_lane_now_refused_for_another_reason_does_not_count(store: ClockedStore, order: Orders) -> None:
    close(store, order, "a")
    store.pass_time(1)
    job = send(store)
    assert job.location_id == "a"
    refuse(store, job, OTHER_STATUS)
    for name in ("b", "c"):
        close(store, order, name)
        store.pass_time(0.1)
    assert store.global_state().brake is None


def test_a_delivery_since_the_first_refusal_keeps_all_lanes_going(store: ClockedStore, order: Orders) -> None:
    for name in ("a", "b"):
        close(store, order, name)
        store.pass_time(0.1)
    enqueue(store, order, "healthy", jobs=1)
    deliver(store, send(store))
    close(store, order, "c")
    for number in range(60):
        store.pass_time(3)
        if isinstance(job := store.release(make_consumer(f"x{number}", LIMITS)).next, Released):
            refuse(store, job)
    assert store.global_state().brake is None
    assert store.counts()["pending"] == 0, "each was probed to its end"


def test_the_delivery_of_a_request_that_was_out_before_the_first_refusal_proves_nothing(
    store: ClockedStore, order: Orders
) -> None:
    """When the API changes, requests that it took before are reported after those that it refused."""
    enqueue(store, order, "d", jobs=1)
    slow = send(store)
    store.pass_time(0.1)
    close(store, order, "a")
    store.pass_time(0.1)
    deliver(store, slow)
    for name in ("b", "c"):
        close(store, order, name)
        store.pass_time(0.1)
    assert store.global_state().brake is not None


def test_requests_out_when_it_closed_are_requeued_in_every_lane(store: ClockedStore, order: Orders) -> None:
    enqueue(store, order, "d", jobs=3)
    out = send_many(store, 3)
    store.pass_time(0.1)
    brake_all(store, order)
    assert [refuse(store, job) for job in out] == ["braked"] * 3
    assert store.read_lanes(["d"])[0].counts["dead"] == 0
    assert list(check_consistency(store)) == []


def test_a_resumed_lane_does_not_count(store: ClockedStore, order: Orders) -> None:
    close(store, order, "a")
    brake = brake_of(store, "a")
    assert brake is not None
    store.end_brake("a", brake.since)
    store.hold("a", "not in this test", "ada")
    for name in ("b", "c"):
        close(store, order, name)
        store.pass_time(0.1)
    assert store.global_state().brake is None


def test_it_pauses_in_an_outage_and_its_time_counts_as_held(store: ClockedStore, order: Orders) -> None:
    brake_all(store, order)
    store.enqueue(order("d", "brief", expires_at=store.now + 5), 60)
    store.pass_time(100)
    job = send(store)
    where = store.queue_position(f"job{order.made}")
    assert where is not None or job.location_id == "d"
    if where is not None and where.expires_at is not None:
        assert where.expires_at == pytest.approx(store.now + 5)
    store.hold_all("to look at it", "ada")
    assert is_idle(store)
    store.resume_all()
    assert store.global_state().brake is not None
    assert list(check_consistency(store)) == []


def test_an_outage_precedes_it(store: ClockedStore, order: Orders) -> None:
    outage = BreakerPolicy(failures=3, locations=3, gap=1, max_gap=8)
    for name in ("a", "b"):
        close(store, order, name)
        store.pass_time(0.1)
    for name in ("x", "y", "z"):
        enqueue(store, order, name, jobs=1)
        job = send(store)
        store.retry(AttemptReport(job.id, job.attempt, "{}", LIMITS), delay=0, outage=outage)
        store.hold(name, "not in this test", "ada")
    assert store.global_state().outage is not None
    assert is_idle(store)
    store.pass_time(1)
    assert send(store).location_id in ("a", "b"), "the probe of the outage is that of its lane, too"
    assert is_idle(store)
    assert list(check_consistency(store)) == []
    assert store.global_state().brake is None


def test_a_person_ends_the_one_that_was_seen(store: ClockedStore, order: Orders) -> None:
    brake = brake_all(store, order)
    assert store.end_brake_of_all(brake.since - 1) == "changed"
    assert store.end_brake_of_all(brake.since) == "ended"
    assert store.end_brake_of_all(brake.since) == "free"
    assert all(brake_of(store, name) for name in ("a", "b", "c"))
    enqueue(store, order, "d")
    assert len(send_many(store, 8)) == 8
    assert list(check_consistency(store)) == []


def test_a_stale_delivery_from_before_ends_only_its_lanes_brake(store: ClockedStore, order: Orders) -> None:
    enqueue(store, order, "a", jobs=1)
    early = send(store)
    store.pass_time(0.1)
    brake_all(store, order)
    store.deliver(AttemptReport(early.id, early.attempt, "{}", LIMITS, RateLimitInfo()), retention=60)
    assert brake_of(store, "a") is None
    assert store.global_state().brake is not None
