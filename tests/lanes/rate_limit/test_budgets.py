"""The two rate limits of a location: edges, days, its own limits, and those that the API reports."""

import random

import pytest

from lanes.queue.results import Released
from lanes.queue.transitions import DefaultLimits, RateLimitInfo
from lanes.storage.stored import MICROSECONDS
from tests.lanes.conftest import ClockedStore
from tests.lanes.simulated_workers import LEASE, deliver, fill, idle_seconds, release_due, release_job, release_one

LIMITS = DefaultLimits(burst=5, window=10, daily=1000)
ONE = DefaultLimits(burst=1, window=10, daily=1000)
MICROSECOND = 1 / MICROSECONDS
QUARTER = 900
DAY = 86_400


def day_used(store: ClockedStore) -> int:
    return store.lanes()[0].day_used


# The window, to the microsecond.


def test_a_slot_is_free_one_window_after_the_answer(store: ClockedStore) -> None:
    fill(store, "loc", 2)
    job = release_job(store, ONE)
    store.pass_time(0.3)
    deliver(store, job, ONE)
    assert idle_seconds(store, ONE) == ONE.window
    store.pass_time(ONE.window - MICROSECOND)
    assert idle_seconds(store, ONE) == MICROSECOND
    store.pass_time(MICROSECOND)
    release_job(store, ONE)


def test_a_slot_without_an_answer_is_free_one_window_after_the_lease(store: ClockedStore) -> None:
    fill(store, "loc", 1)
    job = release_job(store, ONE)
    store.pass_time(LEASE)
    store.reclaim(10, 5)
    assert idle_seconds(store, ONE) == ONE.window
    store.pass_time(ONE.window - MICROSECOND)
    assert idle_seconds(store, ONE) == MICROSECOND
    store.pass_time(MICROSECOND)
    again = release_job(store, ONE)
    assert (again.id, again.attempt) == (job.id, 2)


def test_each_slot_is_free_by_itself(store: ClockedStore) -> None:
    fill(store, "loc", 20)
    jobs = release_due(store, LIMITS)
    assert len(jobs) == LIMITS.burst
    for job in jobs:
        store.pass_time(1)
        deliver(store, job, LIMITS)
    store.pass_time(LIMITS.window - 5)
    for _ in jobs:
        assert 0.999 < idle_seconds(store, LIMITS) <= 1
        store.pass_time(1)
        assert len(release_due(store, LIMITS)) == 1


# A location's own.


@pytest.mark.parametrize("own", [1, 3, 5, 9])
def test_a_location_has_a_window_of_its_own(store: ClockedStore, own: int) -> None:
    store.limit("loc", own, None, None)
    fill(store, "loc", 20)
    fill(store, "other", 20)
    jobs = release_due(store, LIMITS)
    assert sum(1 for job in jobs if job.location_id == "loc") == own
    assert sum(1 for job in jobs if job.location_id == "other") == LIMITS.burst


@pytest.mark.parametrize("own", [1, 4, 2000])
def test_a_location_has_a_day_of_its_own(store: ClockedStore, own: int) -> None:
    store.limit("loc", 10_000, own, None)
    fill(store, "loc", 3000)
    assert len(release_due(store, LIMITS)) == own


def test_a_limit_that_is_raised_or_taken_away_holds_at_once(store: ClockedStore) -> None:
    store.limit("loc", 2, None, None)
    fill(store, "loc", 20)
    assert len(release_due(store, LIMITS)) == 2
    store.limit("loc", 8, None, None)
    assert len(release_due(store, LIMITS)) == 6
    store.limit("loc", 9, 10, None)
    assert len(release_due(store, LIMITS)) == 1
    store.limit("loc", 18, 10, None)
    assert len(release_due(store, LIMITS)) == 1
    store.limit("loc", 18, None, None)
    assert len(release_due(store, LIMITS)) == 8


def test_a_lowered_limit_counts_requests_already_out(store: ClockedStore) -> None:
    fill(store, "loc", 20)
    jobs = release_due(store, LIMITS)
    store.limit("loc", 2, None, None)
    for job in jobs:
        store.pass_time(1)
        deliver(store, job, LIMITS)
    store.pass_time(LIMITS.window - 4)
    counts = []
    for _ in jobs:
        counts.append(len(release_due(store, LIMITS)))
        store.pass_time(1)
    assert counts == [0, 0, 0, 1, 1]


# The day.


@pytest.mark.parametrize("seed", range(3))
def test_any_24_hours_hold_the_budget_to_a_quarter_of_an_hour(store: ClockedStore, seed: int) -> None:
    chance, daily = random.Random(seed), 12
    limits = DefaultLimits(burst=1000, window=10, daily=daily)
    store.pass_time(chance.uniform(0, QUARTER))
    times: list[float] = []
    while len(times) < 5 * daily:
        fill(store, "loc", 1)
        job = release_one(store, limits)
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


def daily_limits(left: int, resets_in: float | None, daily: int = 5) -> RateLimitInfo:
    return RateLimitInfo(daily=daily, day_left=left, day_resets_in=resets_in)


def test_the_day_ends_when_the_api_says(store: ClockedStore) -> None:
    fill(store, "loc", 100)
    limits = DefaultLimits(burst=50, window=10, daily=1000)
    deliver(store, release_job(store, limits), limits, daily_limits(4, 3600))
    jobs = release_due(store, limits)
    assert len(jobs) == 2  # as many as that stay free until their answers come
    for job in jobs:
        deliver(store, job, limits)
    assert len(release_due(store, limits)) == 1
    assert idle_seconds(store, limits) == 3600
    store.pass_time(3600 - MICROSECOND)
    assert idle_seconds(store, limits) == pytest.approx(MICROSECOND, rel=0.3)
    store.pass_time(MICROSECOND)
    # One was never answered: it may count in the new day.
    assert len(release_due(store, limits)) == 2
    assert day_used(store) == 3
    assert idle_seconds(store, limits) == pytest.approx(DAY, abs=1)


def test_a_day_that_passed_unused_is_one_day_and_the_next_ends_in_time(store: ClockedStore) -> None:
    fill(store, "loc", 100)
    limits = DefaultLimits(burst=50, window=10, daily=1000)
    deliver(store, release_job(store, limits), limits, daily_limits(4, 3600))
    store.pass_time(3600 + 2 * DAY + 100)
    for _ in range(5):
        deliver(store, release_job(store, limits), limits)
    assert idle_seconds(store, limits) == pytest.approx(DAY - 100, abs=1)


@pytest.mark.parametrize(("left", "at_once"), [(0, 0), (1, 1), (2, 1), (4, 2)])
def test_quota_used_by_other_clients_is_not_ours(store: ClockedStore, left: int, at_once: int) -> None:
    """And of the rest as many stay free as are out: others may have taken them before we hear of it."""
    fill(store, "loc", 100)
    deliver(store, release_job(store, LIMITS), LIMITS, daily_limits(left, None))
    jobs = release_due(store, LIMITS)
    assert len(jobs) == at_once
    sent = len(jobs)
    while jobs:
        for job in jobs:
            deliver(store, job, LIMITS)
        jobs = release_due(store, LIMITS)
        sent += len(jobs)
    assert sent == left


def test_answers_of_a_day_in_any_order_lose_nothing(store: ClockedStore) -> None:
    """The server counted them in another order than they went out in, and the answers came in a third."""
    limits = DefaultLimits(burst=50, window=10, daily=1000)
    chance = random.Random(1)
    fill(store, "loc", 300)
    deliver(store, release_job(store, limits), limits, daily_limits(999, 3600, 1000))
    used = 1
    for _ in range(10):
        store.pass_time(11)
        jobs = [release_job(store, limits) for _ in range(6)]
        chance.shuffle(jobs)
        answers = [(job, used + number) for number, job in enumerate(jobs, 1)]
        used += len(jobs)
        chance.shuffle(answers)
        for job, count in answers:
            deliver(store, job, limits, daily_limits(1000 - count, 3600, 1000))
        assert day_used(store) == used


def test_a_day_reported_late_is_the_same_day(store: ClockedStore) -> None:
    """The reset counts from when the answer was made, and arrives with its latency."""
    limits = DefaultLimits(burst=50, window=10, daily=1000)
    fill(store, "loc", 100)
    first, *jobs = [release_job(store, limits) for _ in range(3)]
    deliver(store, first, limits, daily_limits(1, 3600))
    store.pass_time(20)
    for job in jobs:
        deliver(store, job, limits, daily_limits(4, 3600))
    assert day_used(store) == 4


# What the API reports about the limits themselves.


@pytest.mark.parametrize(
    ("own", "reported", "holds"),
    [(None, 3, 3), (None, 5, 5), (None, 100, 5), (9, 7, 7), (9, 100, 9), (2, 7, 2)],
)
def test_a_reported_window_is_obeyed_when_it_is_stricter(
    store: ClockedStore, own: int | None, reported: int, holds: int
) -> None:
    store.limit("loc", own, None, None)
    fill(store, "loc", 50)
    deliver(store, release_job(store, LIMITS), LIMITS, RateLimitInfo(burst=reported))
    assert 1 + len(release_due(store, LIMITS)) == holds


@pytest.mark.parametrize(("reported", "holds"), [(20.0, 20.0), (10.0, 10.0), (1.0, 10.0)])
def test_a_reported_interval_is_obeyed_when_it_is_stricter(store: ClockedStore, reported: float, holds: float) -> None:
    """From the answer that reports it: its own rate slot is the first with that duration."""
    fill(store, "loc", 50)
    deliver(store, release_job(store, ONE), ONE, RateLimitInfo(window=reported))
    assert idle_seconds(store, ONE) == holds
    store.pass_time(holds)
    release_job(store, ONE)
    assert idle_seconds(store, ONE) == LEASE + holds


@pytest.mark.parametrize(
    ("own", "reported", "holds"), [(None, 2, 2), (None, 10**6, 4), (3, 10**6, 3), (3, 2, 2), (9, 6, 6)]
)
def test_a_reported_daily_quota_is_obeyed_when_it_is_stricter(
    store: ClockedStore, own: int | None, reported: int, holds: int
) -> None:
    limits = DefaultLimits(burst=50, window=10, daily=4)
    store.limit("loc", None, own, None)
    fill(store, "loc", 50)
    deliver(store, release_job(store, limits), limits, RateLimitInfo(daily=reported))
    assert 1 + len(release_due(store, limits)) == holds


def test_a_raised_limit_is_followed_once_two_answers_report_it(store: ClockedStore) -> None:
    fill(store, "loc", 50)
    deliver(store, release_job(store, LIMITS), LIMITS, RateLimitInfo(burst=2))
    job = release_job(store, LIMITS)
    assert idle_seconds(store, LIMITS) > 0
    deliver(store, job, LIMITS, RateLimitInfo(burst=100))
    assert release_due(store, LIMITS) == []
    store.pass_time(LIMITS.window)
    deliver(store, release_job(store, LIMITS), LIMITS, RateLimitInfo(burst=100))
    assert 1 + len(release_due(store, LIMITS)) == LIMITS.burst
