"""The list of a lane's jobs: each queue position in order, and bounded in length."""

from dataclasses import replace

from lanes.queue.job import State
from lanes.queue.lane_jobs import LaneJobs, MergedJobs
from tests.lanes.conftest import START, ClockedStore, Orders, make_consumer
from tests.lanes.whole_state import KEPT, KNOWN, report, send, watch


def list_jobs(store: ClockedStore, location: str = "loc", **which: int) -> LaneJobs:
    with watch(store) as changed:
        found = store.lane_jobs(location, **which)
    assert changed == {}
    return found


def ids(jobs: tuple[object, ...]) -> list[str]:
    return [getattr(job, "id", "") for job in jobs]


def test_a_lane_without_jobs(store: ClockedStore) -> None:
    assert list_jobs(store) == LaneJobs((), 0, (), 0, (), ())


def test_each_job_is_listed_in_its_state(store: ClockedStore, order: Orders) -> None:
    orders = [
        order(record="a"),
        order(record="b", priority=4),
        order(record="a"),
        order(record="c", not_before=START + 60),
        order(record="d", not_before=START + 30),
        order("other", "x"),
    ]
    store.enqueue_many(orders, KNOWN)
    found = list_jobs(store)
    assert (ids(found.ready), found.ready_total) == (["job2", "job1"], 2)
    assert (ids(found.delayed), found.delayed_total) == (["job5", "job4"], 2)
    assert [job.until for job in found.delayed] == [START + 30, START + 60]
    first, second = found.ready
    assert (first.priority, first.blocked_count, second.blocked_count) == (4, 0, 1)
    assert (second.state, second.accepted_at, second.attempt, second.until) == (State.PENDING, START, 0, None)


def test_jobs_in_flight_are_listed_and_past_ones_are_not(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record=record) for record in "ab"], KNOWN)
    store.deliver(report(send(store)), retention=KEPT)
    store.pass_time(1)
    second = send(store, "w2")
    found = list_jobs(store)
    assert ids(found.in_flight) == [second.id]
    job = found.in_flight[0]
    assert (job.worker, job.released_at, job.until, job.attempt) == ("w2", START + 1, START + 61, 1)
    assert found.ready == ()


def test_a_job_in_flight_for_the_second_time_is_listed_once(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    store.retry(report(send(store)), delay=0)
    send(store)
    assert ids(list_jobs(store).in_flight) == ["job1"]


def test_only_the_lanes_newest_dead_letters(store: ClockedStore, order: Orders) -> None:
    for location in ("loc", "other", "loc"):
        store.enqueue(order(location), KNOWN)
        store.bury(report(send(store, location)), reason="refused")
        store.pass_time(20)
    store.enqueue(order(record="late", expires_at=store.now + 1), KNOWN)
    store.pass_time(2)
    store.expire(9)
    dead_letters = list_jobs(store).dead_letters
    assert [(job.id, job.state, job.reason) for job in dead_letters] == [
        ("job4", State.EXPIRED, "expired"),
        ("job3", State.DEAD, "refused"),
        ("job1", State.DEAD, "refused"),
    ]
    assert dead_letters[2].ended_at == START
    assert ids(list_jobs(store, max_count=2).dead_letters) == ["job4", "job3"]


def test_long_lanes_are_listed_in_parts(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record=f"r{n}") for n in range(60)], KNOWN)
    store.enqueue_many([order(record=f"l{n}", not_before=START + n + 1) for n in range(60)], KNOWN)
    found = list_jobs(store, ready=25, delayed=50, max_count=25)
    assert (ids(found.ready), found.ready_total) == ([f"job{n}" for n in range(26, 51)], 60)
    assert (ids(found.delayed), found.delayed_total) == ([f"job{n}" for n in range(111, 121)], 60)
    assert list_jobs(store, ready=600).ready == ()


def test_a_whole_window_in_flight_is_cut(store: ClockedStore, order: Orders) -> None:
    store.limit("loc", burst=40, daily=None, weight=None)
    store.enqueue_many([order(record=f"r{n}") for n in range(40)], KNOWN)
    for n in range(40):
        store.release(make_consumer(f"w{n}"))
    assert len(list_jobs(store).in_flight) == 25
    assert len(list_jobs(store, max_count=40).in_flight) == 40


def test_ids_with_colons_and_worse(store: ClockedStore, order: Orders) -> None:
    hostile = "a:1/b'\"<é>%:2"
    store.enqueue(replace(order(), id=hostile), KNOWN)
    send(store)
    assert ids(list_jobs(store).in_flight) == [hostile]


def test_jobs_merged_into_one(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(), *(order(merge=True) for _ in range(5))], KNOWN)
    assert store.merged_jobs("job1", 50) == MergedJobs(5, tuple(f"job{n}" for n in range(2, 7)))
    few = store.merged_jobs("job1", 2)
    assert (few.total, len(few.some)) == (5, 2)
    assert store.merged_jobs("job2", 2) == MergedJobs(0, ())
