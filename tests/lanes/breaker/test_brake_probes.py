"""The probes of a lane on the brake, and of all: one at a time, with growing gaps, of other records and lanes."""

import itertools

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, CountedRefusal
from tests.lanes.breaker.brake_steps import (
    LIMITS,
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


def test_single_probes_with_growing_gaps_while_other_lanes_go_on(store: ClockedStore, order: Orders) -> None:
    close(store, order)
    gaps, records = [], []
    for number in range(5):
        brake = brake_of(store)
        assert brake is not None
        gaps.append(brake.next_probe_in)
        assert is_idle(store)
        enqueue(store, order, f"more{number}", jobs=2)
        assert len(send_many(store, 2)) == 2, "others go on"
        store.pass_time(brake.next_probe_in + 0.001)
        assert store.count_due(10, LIMITS).due == 1
        job = send(store)
        brake = brake_of(store)
        assert brake is not None
        assert brake.next_probe_in == 0
        assert is_idle(store), "one at a time"
        assert store.count_due(10, LIMITS).due == 0
        records.append(job.id)
        store.pass_time(0.1)
        dead = store.counts()["dead"]
        if number == 2:
            enqueue(store, order, jobs=3)
        assert refuse(store, job) == "buried", "that is what a probe costs"
        assert store.counts()["dead"] == dead + 1
    for gap, least in zip(gaps, (1, 2, 4, 8, 8), strict=True):
        assert 0.75 * least <= gap <= least
    assert len(set(records)) == 5
    assert list(check_consistency(store)) == []


def test_a_probe_is_of_another_record_than_the_last_where_there_is_one(store: ClockedStore, order: Orders) -> None:
    for record in ("a", "a", "a", "a", "a", "a", "b", "b"):
        store.enqueue(order("loc", record), 60)
    for _ in range(3):
        refuse(store, next(job for job in [send(store)]))
        store.pass_time(0.001)
    records = []
    while store.counts()["pending"]:
        store.pass_time(8)
        job = send(store)
        found = store.job(job.id)
        assert found is not None
        records.append(found.record)
        refuse(store, job)
    assert len(records) == 5
    twice = [one for one, two in itertools.pairwise(records) if one == two]
    assert len(twice) <= 1, records  # once the other one has no job left


def test_a_worker_that_dies_with_the_probe_delays_the_next_by_its_lease(store: ClockedStore, order: Orders) -> None:
    close(store, order)
    store.pass_time(1)
    lost = send(store, "dead")
    assert store.release(make_consumer("other", LIMITS)).next == Idle(30.0)
    store.pass_time(30)
    store.reclaim(10, 99)
    probe = send(store)
    assert is_idle(store)
    assert refuse(store, lost) == "stale"
    assert is_idle(store), "what the dead one says after all ends no probe"
    assert refuse(store, probe) == "buried"
    assert list(check_consistency(store)) == []


def test_a_probe_whose_release_was_lost_stays_the_only_one(store: ClockedStore, order: Orders) -> None:
    close(store, order)
    store.pass_time(1)
    first = store.release(make_consumer("deaf", LIMITS)).next
    store.pass_time(20)
    again = store.release(make_consumer("deaf", LIMITS)).next
    assert first == again
    store.pass_time(20)
    assert is_idle(store)


@pytest.mark.parametrize("end", ["throttle", "fail", "not down", "requeue", "unsent"])
def test_an_inconclusive_probe_is_followed_by_another_after_the_same_gap(
    store: ClockedStore, order: Orders, end: str
) -> None:
    close(store, order)
    store.pass_time(1)
    refuse(store, send(store))
    store.pass_time(2)
    job = send(store)
    if end == "throttle":
        store.throttle(report(job), wait=1)
    elif end == "fail":
        store.retry(AttemptReport(job.id, job.attempt, "{}", LIMITS), delay=100, outage=OUTAGE)
    elif end == "not down":
        store.retry(report(job), delay=100)
    else:
        store.requeue(report(job), wait=0, sent=end == "requeue")
    brake = brake_of(store)
    assert brake is not None
    assert 1.5 <= brake.next_probe_in <= 2
    store.pass_time(2)
    assert isinstance(send(store), Released)


def test_a_lane_of_more_weight_sends_single_probes_too(store: ClockedStore, order: Orders) -> None:
    close(store, order)
    store.limit("loc", None, None, 5)
    store.pass_time(1)
    assert isinstance(send(store), Released)
    assert is_idle(store)


def brake_many(store: ClockedStore, order: Orders) -> None:
    """Put 41 lanes on their own brake, and then all lanes; every probe is due."""
    brake_all(store, order)
    brake = store.global_state().brake
    assert brake is not None
    store.end_brake_of_all(brake.since)
    for number in range(40):
        close(store, order, f"refused{number}", CountedRefusal(3, 1, 8, 403, f"own{number}"))
    close(store, order, "refused", REFUSAL)
    assert store.global_state().brake is not None
    store.pass_time(30)


def test_lanes_without_a_brake_of_their_own_are_probed_first(store: ClockedStore, order: Orders) -> None:
    """Many lanes are on the brake, and have been due for longer: a healthy one does not wait for all of them."""
    brake_many(store, order)
    enqueue(store, order, "healthy", jobs=3)
    probes = []
    for _ in range(4):
        job = probe(store)
        probes.append(job.location_id)
        if job.location_id == "healthy":
            deliver(store, job)
            break
        refuse(store, job)
        store.pass_time(30)
    assert probes[-1] == "healthy", probes
    assert store.global_state().brake is None


def test_many_lanes_on_the_brake_are_probed_all_the_same(store: ClockedStore, order: Orders) -> None:
    brake_many(store, order)
    locations = set()
    for _ in range(6):
        job = probe(store)
        locations.add(job.location_id)
        refuse(store, job)
        store.pass_time(30)
    assert len(locations) > 3
