"""The next job: lanes alternate by weight, and an urgent job is first in its own lane only."""

import re
from collections import Counter
from itertools import groupby

import pytest

from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits
from lanes.storage.scripts import read
from tests.lanes.conftest import ClockedStore, Orders
from tests.lanes.simulated_workers import TICK, deliver, fill, locations, release_due, release_job

LIMITS = DefaultLimits(burst=100_000, window=10, daily=10**6)
RELEASE_NEXT = "\n".join(read("include/queue/release_next"))
LOOKED_AT = int(re.findall(r"MAX_LANES_CHECKED = (\d+)", RELEASE_NEXT)[0])
FAIR_SHARE = int(re.findall(r"FAIR_SHARE = (\d+)", RELEASE_NEXT)[0])


def take_turns(store: ClockedStore, jobs: int) -> list[Released]:
    """Release so many jobs, one after the other."""
    taken = []
    for _ in range(jobs):
        store.pass_time(TICK)
        taken.append(release_job(store, LIMITS))
    return taken


def serve(store: ClockedStore, jobs: int) -> list[Released]:
    """Release and deliver so many jobs, one after the other."""
    served = []
    for _ in range(jobs):
        served += take_turns(store, 1)
        deliver(store, served[-1], LIMITS)
    return served


def fill_lanes(store: ClockedStore, **lanes: int) -> None:
    """Put so many jobs into each lane, in this order."""
    for location, jobs in lanes.items():
        store.pass_time(TICK)
        fill(store, location, jobs)


def test_a_lane_with_one_job_is_served_as_soon_as_one_with_thousands(store: ClockedStore) -> None:
    fill_lanes(store, great=5000, other=3, small=1)
    assert locations(take_turns(store, 7)) == ["great", "other", "small", "great", "other", "great", "other"]
    assert locations(take_turns(store, 3)) == ["great"] * 3


def test_a_lane_that_comes_late_is_served_within_one_round(store: ClockedStore) -> None:
    lanes = {f"lane{number}": 10 for number in range(20)}
    fill_lanes(store, **lanes)
    take_turns(store, 33)
    fill_lanes(store, late=10)
    turns = locations(take_turns(store, 63))
    assert turns[20] == "late"
    assert [at for at, location in enumerate(turns) if location == "late"] == [20, 41, 62]


def test_a_lane_that_was_empty_gets_no_extra_turns(store: ClockedStore) -> None:
    fill_lanes(store, away=1, here=100)
    serve(store, 50)
    fill_lanes(store, away=100)
    assert Counter(locations(serve(store, 20))) == {"here": 10, "away": 10}


def test_the_answer_to_one_job_gives_its_lane_no_turn_before_others(store: ClockedStore) -> None:
    """Neither does a follower of its record that goes on then."""
    fill_lanes(store, busy=10, calm=10)
    turns = []
    for job in take_turns(store, 1):
        following = job
        for _ in range(11):
            deliver(store, following, LIMITS)
            store.pass_time(TICK)
            following = release_job(store, LIMITS)
            turns.append(following.location_id)
    assert turns == ["calm", "busy"] * 5 + ["calm"]


def test_a_lane_to_which_jobs_come_all_the_time_keeps_its_turn(store: ClockedStore) -> None:
    fill_lanes(store, busy=2, calm=20)
    turns = []
    for _ in range(12):
        fill_lanes(store, busy=1)
        turns += take_turns(store, 1)
    assert locations(turns) == ["busy", "calm"] * 6


def test_a_lane_of_weight_three_has_three_turns_in_a_row(store: ClockedStore) -> None:
    store.limit("heavy", None, None, 3)
    fill_lanes(store, heavy=30, one=30, two=30)
    assert locations(take_turns(store, 10)) == [*["heavy"] * 3, "one", "two"] * 2


@pytest.mark.parametrize("weights", [(3, 1, 1), (5, 2, 1), (2, 2, 7)])
def test_over_a_long_run_the_shares_are_the_weights(store: ClockedStore, weights: tuple[int, ...]) -> None:
    rounds = 25
    for number, weight in enumerate(weights):
        store.limit(f"lane{number}", None, None, weight)
    fill_lanes(store, **{f"lane{number}": rounds * weight for number, weight in enumerate(weights)})
    turns = locations(take_turns(store, rounds * sum(weights)))
    assert Counter(turns) == {f"lane{number}": rounds * weight for number, weight in enumerate(weights)}
    runs = {(location, len(list(run))) for location, run in groupby(turns)}
    assert runs == {(f"lane{number}", weight) for number, weight in enumerate(weights)}


def test_a_removed_weight_is_one_again(store: ClockedStore) -> None:
    store.limit("heavy", None, None, 3)
    fill_lanes(store, heavy=30, light=30)
    serve(store, 5)
    store.limit("heavy", None, None, None)
    turns = locations(serve(store, 12))
    assert Counter(turns) == {"heavy": 6, "light": 6}


def test_a_heavy_lane_whose_window_is_full_gives_its_turns_away(store: ClockedStore) -> None:
    store.limit("heavy", 2, None, 5)
    fill_lanes(store, heavy=30, light=30)
    assert locations(take_turns(store, 12)) == ["heavy"] * 2 + ["light"] * 10


def test_an_urgent_job_is_the_first_of_its_lane_and_its_lane_is_not(store: ClockedStore, order: Orders) -> None:
    fill_lanes(store, before=10)
    store.pass_time(TICK)
    jobs = [order(record=f"p/{number}", priority=priority) for number, priority in enumerate((0, 0, 1, 9, 9, 4))]
    store.enqueue_many(jobs, 60)
    fill_lanes(store, behind=10)
    turns = take_turns(store, 18)
    assert locations(turns) == ["before", "loc", "behind"] * 6
    sent = [job.id for job in turns if job.location_id == "loc"]
    assert sent == [jobs[number].id for number in (3, 4, 5, 2, 0, 1)]


def test_an_urgent_job_makes_earlier_jobs_of_its_record_urgent(store: ClockedStore, order: Orders) -> None:
    """Only those: later jobs, and jobs of other records, wait as before."""
    plain, first, second, urgent, after = [
        order(record="p/plain"),
        order(record="p/urgent"),
        order(record="p/urgent", priority=2),
        order(record="p/urgent", priority=5),
        order(record="p/urgent"),
    ]
    store.enqueue_many([plain, first, second, urgent, after], 60)
    sent = []
    for _ in range(3):
        job = release_job(store, LIMITS)
        sent.append(job.id)
        deliver(store, job, LIMITS)
    assert sent == [first.id, second.id, urgent.id]
    assert [job.id for job in release_due(store, LIMITS)] == [plain.id, after.id]


def test_a_promoted_job_stays_urgent_through_its_backoff(store: ClockedStore, order: Orders) -> None:
    plain, first = order(record="p/a", not_before=store.now + 5), order(record="p/b")
    store.enqueue_many([plain, first], 60)
    job = release_job(store, LIMITS)
    store.enqueue(order(record="p/b", priority=9), 60)
    store.retry(AttemptReport(job.id, job.attempt, "{}", LIMITS), delay=5)
    store.pass_time(5)
    assert [job.id for job in release_due(store, LIMITS)] == [first.id, plain.id]


def test_an_urgent_job_waits_for_its_rate_window_too(store: ClockedStore, order: Orders) -> None:
    store.limit("loc", 2, None, None)
    fill_lanes(store, loc=3, other=3)
    store.enqueue(order(priority=9), 60)
    assert Counter(locations(release_due(store, LIMITS))) == {"loc": 2, "other": 3}


@pytest.mark.parametrize("weight", [1, 2])
def test_a_reserved_thread_gets_no_job_of_a_lane_that_has_its_fair_share(store: ClockedStore, weight: int) -> None:
    """The lane stays due for all other threads. A wake-up does not tell the thread of it, so it asks again soon."""
    store.limit("slow", None, None, weight)
    fill(store, "slow", 30)
    share = FAIR_SHARE * weight

    def ask() -> Released | Idle | None:
        store.pass_time(TICK)
        return store.release(Consumer(f"reserved-{store.now}", 60, 3600, LIMITS, reserved=True)).next

    assert locations([job for _ in range(share) if isinstance(job := ask(), Released)]) == ["slow"] * share
    found = ask()
    assert isinstance(found, Idle)
    assert found.reserved
    assert found.seconds
    assert found.seconds > TICK
    fill(store, "other", 2)
    assert locations([job for _ in range(3) if isinstance(job := ask(), Released)]) == ["other"] * 2
    store.pass_time(TICK)
    assert locations([release_job(store, LIMITS)]) == ["slow"]


def test_a_reserved_thread_finds_a_lane_behind_many_that_have_their_fair_share(store: ClockedStore) -> None:
    """Each call looks at some of them, and the next call at the others."""
    lanes = [f"slow{number}" for number in range(LOOKED_AT + 5)]
    for location in lanes:
        fill(store, location, FAIR_SHARE + 1)
    for _ in range(FAIR_SHARE * len(lanes)):
        store.pass_time(TICK)
        release_job(store, LIMITS)
    store.pass_time(TICK)
    fill(store, "other", 1)
    found = []
    for number in range(2):
        store.pass_time(TICK)
        found.append(store.release(Consumer(f"reserved{number}", 60, 3600, LIMITS, reserved=True)).next)
    assert isinstance(found[0], Idle)
    assert found[0].reserved
    assert isinstance(found[1], Released)
    assert found[1].location_id == "other"
