"""The two budgets of a location: edges, days, limits of its own, and those that the API tells."""

import random

import pytest

from lanes.job import MICROSECONDS
from lanes.results import Released
from lanes.transitions import Limits, Told
from tests.lanes.conftest import ClockedStore
from tests.lanes.crew import LEASE, deliver, fill, take, take_all, take_job, wait

LIMITS = Limits(burst=5, window=10, daily=1000)
ONE = Limits(burst=1, window=10, daily=1000)
MICROSECOND = 1 / MICROSECONDS
QUARTER = 900
DAY = 86_400


def day_used(store: ClockedStore) -> int:
    return store.lanes()[0].day_used


# The window, to the microsecond.


def test_a_slot_is_free_one_window_after_the_answer(store: ClockedStore) -> None:
    fill(store, "loc", 2)
    job = take_job(store, ONE)
    store.pass_time(0.3)
    deliver(store, job, ONE)
    assert wait(store, ONE) == ONE.window
    store.pass_time(ONE.window - MICROSECOND)
    assert wait(store, ONE) == MICROSECOND
    store.pass_time(MICROSECOND)
    take_job(store, ONE)


def test_a_slot_without_an_answer_is_free_one_window_after_the_lease(store: ClockedStore) -> None:
    fill(store, "loc", 1)
    job = take_job(store, ONE)
    store.pass_time(LEASE)
    store.reclaim(10, 5)
    assert wait(store, ONE) == ONE.window
    store.pass_time(ONE.window - MICROSECOND)
    assert wait(store, ONE) == MICROSECOND
    store.pass_time(MICROSECOND)
    again = take_job(store, ONE)
    assert (again.id, again.attempt) == (job.id, 2)


def test_each_slot_is_free_by_itself(store: ClockedStore) -> None:
    fill(store, "loc", 20)
    jobs = take_all(store, LIMITS)
    assert len(jobs) == LIMITS.burst
    for job in jobs:
        store.pass_time(1)
        deliver(store, job, LIMITS)
    store.pass_time(LIMITS.window - 5)
    for _ in jobs:
        assert 0.999 < wait(store, LIMITS) <= 1
        store.pass_time(1)
        assert len(take_all(store, LIMITS)) == 1


# A location's own.


@pytest.mark.parametrize("own", [1, 3, 5, 9])
def test_a_location_has_a_window_of_its_own(store: ClockedStore, own: int) -> None:
    store.limit("loc", own, None, None)
    fill(store, "loc", 20)
    fill(store, "other", 20)
    jobs = take_all(store, LIMITS)
    assert sum(1 for job in jobs if job.location_id == "loc") == own
    assert sum(1 for job in jobs if job.location_id == "other") == LIMITS.burst


@pytest.mark.parametrize("own", [1, 4, 2000])
def test_a_location_has_a_day_of_its_own(store: ClockedStore, own: int) -> None:
    store.limit("loc", 10_000, own, None)
    fill(store, "loc", 3000)
    assert len(take_all(store, LIMITS)) == own


def test_a_limit_that_is_raised_or_taken_away_holds_at_once(store: ClockedStore) -> None:
    store.limit("loc", 2, None, None)
    fill(store, "loc", 20)
    assert len(take_all(store, LIMITS)) == 2
    store.limit("loc", 8, None, None)
    assert len(take_all(store, LIMITS)) == 6
    store.limit("loc", 9, 10, None)
    assert len(take_all(store, LIMITS)) == 1
    store.limit("loc", 18, 10, None)
    assert len(take_all(store, LIMITS)) == 1
    store.limit("loc", 18, None, None)
    assert len(take_all(store, LIMITS)) == 8


def test_a_limit_that_is_lowered_counts_what_is_out_already(store: ClockedStore) -> None:
    fill(store, "loc", 20)
    jobs = take_all(store, LIMITS)
    store.limit("loc", 2, None, None)
    for job in jobs:
        store.pass_time(1)
        deliver(store, job, LIMITS)
    store.pass_time(LIMITS.window - 4)
    counts = []
    for _ in jobs:
        counts.append(len(take_all(store, LIMITS)))
        store.pass_time(1)
    assert counts == [0, 0, 0, 1, 1]


# The day.


@pytest.mark.parametrize("seed", range(3))
def test_any_24_hours_hold_the_budget_to_a_quarter_of_an_hour(store: ClockedStore, seed: int) -> None:
    chance, daily = random.Random(seed), 12
    limits = Limits(burst=1000, window=10, daily=daily)
    store.pass_time(chance.uniform(0, QUARTER))
    times: list[float] = []
    while len(times) < 5 * daily:
        fill(store, "loc", 1)
        job = take(store, limits)
        if isinstance(job, Released):
            deliver(store, job, limits)
            times.append(store.now)
            # The first day is spent at random, each later one as soon as may be.
            store.pass_time(chance.uniform(0, 2 * 3600) if len(times) < daily else 0)
        else:
            assert job.seconds
            store.pass_time(job.seconds)
    apart = [later - first for first, later in zip(times, times[daily:], strict=False)]
    assert min(apart) >= DAY
    assert max(apart) <= DAY + QUARTER


def told_of_day(left: int, resets_in: float | None, daily: int = 5) -> Told:
    return Told(daily=daily, day_left=left, day_resets_in=resets_in)


def test_the_day_ends_when_the_api_says(store: ClockedStore) -> None:
    fill(store, "loc", 100)
    limits = Limits(burst=50, window=10, daily=1000)
    deliver(store, take_job(store, limits), limits, told_of_day(4, 3600))
    jobs = take_all(store, limits)
    assert len(jobs) == 2  # as many as that stay free until their answers come
    for job in jobs:
        deliver(store, job, limits)
    assert len(take_all(store, limits)) == 1
    assert wait(store, limits) == 3600
    store.pass_time(3600 - MICROSECOND)
    assert wait(store, limits) == pytest.approx(MICROSECOND, rel=0.3)
    store.pass_time(MICROSECOND)
    # One was never answered: it may count in the new day.
    assert len(take_all(store, limits)) == 2
    assert day_used(store) == 3
    assert wait(store, limits) == pytest.approx(DAY, abs=1)


def test_a_day_that_passed_unused_is_one_day_and_the_next_ends_in_time(store: ClockedStore) -> None:
    fill(store, "loc", 100)
    limits = Limits(burst=50, window=10, daily=1000)
    deliver(store, take_job(store, limits), limits, told_of_day(4, 3600))
    store.pass_time(3600 + 2 * DAY + 100)
    for _ in range(5):
        deliver(store, take_job(store, limits), limits)
    assert wait(store, limits) == pytest.approx(DAY - 100, abs=1)


@pytest.mark.parametrize(("left", "at_once"), [(0, 0), (1, 1), (2, 1), (4, 2)])
def test_what_others_took_of_the_day_is_not_ours(store: ClockedStore, left: int, at_once: int) -> None:
    """And of the rest as many stay free as are out: others may have taken them before we hear of it."""
    fill(store, "loc", 100)
    deliver(store, take_job(store, LIMITS), LIMITS, told_of_day(left, None))
    jobs = take_all(store, LIMITS)
    assert len(jobs) == at_once
    sent = len(jobs)
    while jobs:
        for job in jobs:
            deliver(store, job, LIMITS)
        jobs = take_all(store, LIMITS)
        sent += len(jobs)
    assert sent == left


def test_answers_of_a_day_in_any_order_lose_nothing(store: ClockedStore) -> None:
    """The server counted them in another order than they went out in, and the answers came in a third."""
    limits = Limits(burst=50, window=10, daily=1000)
    chance = random.Random(1)
    fill(store, "loc", 300)
    deliver(store, take_job(store, limits), limits, told_of_day(999, 3600, 1000))
    used = 1
    for _ in range(10):
        store.pass_time(11)
        jobs = [take_job(store, limits) for _ in range(6)]
        chance.shuffle(jobs)
        answers = [(job, used + number) for number, job in enumerate(jobs, 1)]
        used += len(jobs)
        chance.shuffle(answers)
        for job, count in answers:
            deliver(store, job, limits, told_of_day(1000 - count, 3600, 1000))
        assert day_used(store) == used


def test_a_day_that_was_told_late_is_the_same_day(store: ClockedStore) -> None:
    """The reset is told from when the answer was made, and comes with its latency."""
    limits = Limits(burst=50, window=10, daily=1000)
    fill(store, "loc", 100)
    first, *jobs = [take_job(store, limits) for _ in range(3)]
    deliver(store, first, limits, told_of_day(1, 3600))
    store.pass_time(20)
    for job in jobs:
        deliver(store, job, limits, told_of_day(4, 3600))
    assert day_used(store) == 4


# What the API tells of the limits themselves.


@pytest.mark.parametrize(
    ("own", "told", "holds"),
    [(None, 3, 3), (None, 5, 5), (None, 100, 5), (9, 7, 7), (9, 100, 9), (2, 7, 2)],
)
def test_a_told_window_is_obeyed_when_it_is_stricter(
    store: ClockedStore, own: int | None, told: int, holds: int
) -> None:
    store.limit("loc", own, None, None)
    fill(store, "loc", 50)
    deliver(store, take_job(store, LIMITS), LIMITS, Told(burst=told))
    assert 1 + len(take_all(store, LIMITS)) == holds


@pytest.mark.parametrize(("told", "holds"), [(20.0, 20.0), (10.0, 10.0), (1.0, 10.0)])
def test_a_told_interval_is_obeyed_when_it_is_stricter(store: ClockedStore, told: float, holds: float) -> None:
    """From the answer on that tells it: its own slot is the first that lasts so long."""
    fill(store, "loc", 50)
    deliver(store, take_job(store, ONE), ONE, Told(window=told))
    assert wait(store, ONE) == holds
    store.pass_time(holds)
    take_job(store, ONE)
    assert wait(store, ONE) == LEASE + holds


@pytest.mark.parametrize(
    ("own", "told", "holds"), [(None, 2, 2), (None, 10**6, 4), (3, 10**6, 3), (3, 2, 2), (9, 6, 6)]
)
def test_a_told_day_is_obeyed_when_it_is_stricter(store: ClockedStore, own: int | None, told: int, holds: int) -> None:
    limits = Limits(burst=50, window=10, daily=4)
    store.limit("loc", None, own, None)
    fill(store, "loc", 50)
    deliver(store, take_job(store, limits), limits, Told(daily=told))
    assert 1 + len(take_all(store, limits)) == holds


def test_a_told_limit_that_is_lifted_holds_no_more_once_two_answers_say_so(store: ClockedStore) -> None:
    fill(store, "loc", 50)
    deliver(store, take_job(store, LIMITS), LIMITS, Told(burst=2))
    job = take_job(store, LIMITS)
    assert wait(store, LIMITS) > 0
    deliver(store, job, LIMITS, Told(burst=100))
    assert take_all(store, LIMITS) == []
    store.pass_time(LIMITS.window)
    deliver(store, take_job(store, LIMITS), LIMITS, Told(burst=100))
    assert 1 + len(take_all(store, LIMITS)) == LIMITS.burst
