"""No location waits for another, and no record for another: in virtual time, to the call."""

import re
from collections import Counter
from collections.abc import Callable

import pytest

from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits
from lanes.storage.scripts import read
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.simulated_workers import (
    LATENCY,
    TICK,
    SimulatedWorkers,
    deliver,
    fill,
    locations,
    release_due,
    release_job,
    release_one,
)

BURST = 20
LIMITS = DefaultLimits(burst=BURST, window=10, daily=100_000)
SECONDS = 35.0
LOOKED_AT = int(re.findall(r"MAX_LANES_CHECKED = (\d+)", "\n".join(read("include/queue/release_next")))[0])

Trouble = Callable[[ClockedStore], None]


def saturated(store: ClockedStore) -> None:
    fill(store, "bad", 3000)


def held(store: ClockedStore) -> None:
    fill(store, "bad", 3000)
    store.hold("bad", "to look at it", "operator")


def throttled(store: ClockedStore) -> None:
    fill(store, "bad", 3000)


def in_backoff(store: ClockedStore) -> None:
    store.limit("bad", 200, None, None)
    fill(store, "bad", 60)


def out_of_budget(store: ClockedStore) -> None:
    store.limit("bad", None, 7, None)
    fill(store, "bad", 3000)


def too_old(store: ClockedStore) -> None:
    store.limit("bad", 1, None, None)
    fill(store, "bad", 300, expires_at=store.now + 12)


def silent(store: ClockedStore) -> None:
    fill(store, "bad", 3000)


def workers_for(store: ClockedStore, trouble: Trouble | None) -> SimulatedWorkers:
    """Return workers to whom the API answers well, except for the failing lane."""

    def answer(report: AttemptReport, job: Released) -> None:
        if job.location_id != "bad":
            deliver(store, job, LIMITS)
        elif trouble is throttled:
            store.throttle(report, wait=3)
        elif trouble is in_backoff:
            store.retry(report, delay=1 + int(job.id.removeprefix("bad-")) % 17 / 8)
        elif trouble is not silent:
            deliver(store, job, LIMITS)

    return SimulatedWorkers(store, LIMITS, answer)


def now_and_then(store: ClockedStore, simulated_workers: SimulatedWorkers) -> None:
    """A job every 0.7 seconds, so that the rate window is never full."""
    for number in range(45):
        simulated_workers.at(START + 1 + 0.7 * number, lambda: fill(store, "good", 1))


def all_at_once(store: ClockedStore, _: SimulatedWorkers) -> None:
    """Jobs for some windows."""
    fill(store, "good", 70)


Load = Callable[[ClockedStore, SimulatedWorkers], None]


def sent_of_good(store: ClockedStore, load: Load, trouble: Trouble | None) -> list[float]:
    """Return when the jobs of the good lane were sent, with a failing lane or without."""
    store.client.flushall()
    store.pass_time(START - store.now)
    simulated_workers = workers_for(store, trouble)
    if trouble is not None:
        trouble(store)
    load(store, simulated_workers)
    simulated_workers.run(SECONDS)
    return [at for at, _, job in simulated_workers.sent if job.location_id == "good"]


@pytest.mark.parametrize("load", [now_and_then, all_at_once])
@pytest.mark.parametrize("trouble", [saturated, held, throttled, in_backoff, out_of_budget, too_old, silent])
def test_a_lane_in_trouble_makes_no_other_wait(store: ClockedStore, load: Load, trouble: Trouble) -> None:
    """All that it has is its turns: one call before each job of the good lane, or one that finds nothing."""
    alone, beside = sent_of_good(store, load, None), sent_of_good(store, load, trouble)
    turns = 1 if load is now_and_then else BURST
    windows = 1 if load is now_and_then else 1 + (len(alone) - 1) // BURST
    later = [round((after - before) / TICK) for after, before in zip(beside, alone, strict=True)]
    assert len(alone) >= 40
    assert max(later) <= windows * (turns + 1)


def test_many_blocked_lanes_that_are_due_at_once_cost_a_call_for_each_so_many_looked_at(store: ClockedStore) -> None:
    limits = DefaultLimits(burst=1, window=10, daily=1000)
    blocked = 200
    for number in range(blocked):
        fill(store, f"full{number:03}", 2)
    assert len(release_due(store, limits)) == blocked
    store.pass_time(10 + 30)
    for number in range(blocked):
        store.limit(f"full{number:03}", None, 1, None)
    store.pass_time(TICK)
    fill(store, "good", 1)
    store.pass_time(TICK)
    calls = 1
    while not isinstance(found := release_one(store, limits), Released):
        assert found.seconds == 0
        calls += 1
    assert found.location_id == "good"
    assert calls == 1 + blocked // LOOKED_AT
    fill(store, "better", 1)
    assert release_job(store, limits).location_id == "better"


def test_a_job_in_backoff_holds_back_its_own_record_only(store: ClockedStore, order: Orders) -> None:
    jobs = [order(record=record) for record in ("p/a", "p/a", "p/b", "p/c")]
    store.enqueue_many(jobs, 60)
    first = release_job(store, LIMITS)
    store.retry(AttemptReport(first.id, first.attempt, "{}", LIMITS), delay=3600)
    assert [job.id for job in release_due(store, LIMITS)] == [jobs[2].id, jobs[3].id]
    store.pass_time(3600)
    again = release_job(store, LIMITS)
    assert (again.id, again.attempt) == (jobs[0].id, 2)
    assert release_due(store, LIMITS) == []
    deliver(store, again, LIMITS)
    assert [job.id for job in release_due(store, LIMITS)] == [jobs[1].id]


def deliver_first(store: ClockedStore, job: Released) -> None:
    deliver(store, job, LIMITS)


def bury_first(store: ClockedStore, job: Released) -> None:
    store.bury(AttemptReport(job.id, job.attempt, "{}", LIMITS), reason="refused")


def lose_first(store: ClockedStore, _: Released) -> None:
    store.pass_time(30)
    assert store.reclaim(10, 1)[0].buried


def cancel_first(store: ClockedStore, job: Released) -> None:
    store.retry(AttemptReport(job.id, job.attempt, "{}", LIMITS), delay=3600)
    assert store.cancel(job.id, 3600) == "cancelled"


def expire_first(store: ClockedStore, job: Released) -> None:
    store.retry(AttemptReport(job.id, job.attempt, "{}", LIMITS), delay=3600)
    store.pass_time(100)
    assert store.expire(10) == [job.id]


@pytest.mark.parametrize("end", [deliver_first, bury_first, lose_first, cancel_first, expire_first])
def test_a_job_goes_on_when_the_one_before_it_has_ended(
    store: ClockedStore, order: Orders, end: Callable[[ClockedStore, Released], None]
) -> None:
    first, second = order(expires_at=store.now + 100), order()
    store.enqueue_many([first, second], 60)
    job = release_job(store, LIMITS)
    assert isinstance(release_one(store, LIMITS), Idle)
    end(store, job)
    assert [job.id for job in release_due(store, LIMITS)] == [second.id]


def test_a_lane_whose_limit_was_lowered_hides_no_work_of_others(store: ClockedStore) -> None:
    """More of its slots are taken than it has now: it offers nothing, and not less."""
    fill(store, "bad", 50)
    release_due(store, LIMITS)
    store.limit("bad", 1, None, None)
    fill(store, "good", 10)
    assert store.count_due(100, LIMITS).due == 10


def test_a_resumed_lane_goes_on_as_soon_as_its_window_has_a_free_slot(store: ClockedStore) -> None:
    """What was answered while it was held counts, too."""
    fill(store, "loc", BURST + 1)
    jobs = release_due(store, LIMITS)
    store.hold("loc", "to look at it", "operator")
    store.pass_time(LATENCY)
    for job in jobs:
        deliver(store, job, LIMITS)
    store.resume("loc")
    store.pass_time(LIMITS.window)
    assert len(release_due(store, LIMITS)) == 1


def test_a_limit_that_is_raised_does_not_forget_jobs_in_backoff(store: ClockedStore, order: Orders) -> None:
    """They were put off to the end of the day, since nothing could go out before."""
    store.limit("loc", None, 1, None)
    cancelled = order(record="p/b")
    store.enqueue_many([order(record="p/a"), cancelled, order(record="p/c", not_before=store.now + 60)], 60)
    deliver(store, release_job(store, LIMITS), LIMITS)
    store.cancel(cancelled.id, 3600)
    assert release_due(store, LIMITS) == []
    store.limit("loc", None, None, None)
    store.pass_time(60)
    assert len(release_due(store, LIMITS)) == 1


def test_a_slow_location_does_not_take_every_sender_thread(store: ClockedStore) -> None:
    """Workers with 40 threads; one location answers in 20 s, three others in a quarter of a second."""
    limits = DefaultLimits(burst=1000, window=10, daily=100_000)
    threads = [f"thread{number}" for number in range(40)]
    busy: list[tuple[float, str, Released]] = []
    done: Counter[str] = Counter()
    for location in ("slow", "one", "two", "three"):
        fill(store, location, 1000)
    end = store.now + 25
    while store.now < end:
        store.pass_time(0.05)
        for entry in [entry for entry in busy if entry[0] <= store.now]:
            busy.remove(entry)
            deliver(store, entry[2], limits)
            done[entry[2].location_id] += 1
            threads.append(entry[1])
        while threads:
            store.pass_time(TICK)
            job = store.release(Consumer(threads[-1], 60, 3600, limits)).next
            if not isinstance(job, Released):
                break
            seconds = 20 if job.location_id == "slow" else 0.25
            busy.append((store.now + seconds, threads.pop(), job))
    in_flight = Counter(entry[2].location_id for entry in busy)
    # The slow location occupies about a quarter of the threads; the others are served by the rest at full speed.
    assert 8 <= in_flight["slow"] <= 13
    assert min(done[name] for name in ("one", "two", "three")) > 25 * 30 / 3 / 0.3 * 0.8
    assert done["slow"] >= 8


def test_a_slow_location_may_use_every_sender_thread_while_they_are_free(store: ClockedStore) -> None:
    limits = DefaultLimits(burst=1000, window=10, daily=100_000)
    fill(store, "slow", 300)
    assert len([release_job(store, limits) for _ in range(200)]) == 200
    fill(store, "other", 20)
    assert locations([release_job(store, limits) for _ in range(20)]) == ["other"] * 20
    assert locations([release_job(store, limits) for _ in range(5)]) == ["slow"] * 5
