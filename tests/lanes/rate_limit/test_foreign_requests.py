"""What answers show about foreign requests in a location's rate window, and what they do not show."""

from dataclasses import dataclass
from itertools import pairwise, permutations

import pytest

from lanes.queue.transitions import AttemptReport, DefaultLimits, RateLimitInfo
from tests.lanes.conftest import ClockedStore
from tests.lanes.simulated_workers import LEASE, deliver, fill, idle_seconds, release_due, release_job

BURST = 100
LIMITS = DefaultLimits(burst=BURST, window=10, daily=100_000)
MARGIN = 2
FASTER = 1.5  # at most, while the window is not full
SHARED_FOR = 60


def rate_limits(used: int) -> RateLimitInfo:
    """The server counted so many requests in its window."""
    return RateLimitInfo(burst=BURST, left=BURST - used, window=LIMITS.window)


def alone(store: ClockedStore, ours: int) -> bool:
    """Whether all slots that our requests left free are used at once, without pacing."""
    return ours + len(release_due(store, LIMITS)) == BURST


@pytest.mark.parametrize(("used", "explained"), [(0, True), (1, True), (3, True), (4, False), (60, False)])
def test_a_count_above_our_slots_proves_another_client(store: ClockedStore, used: int, explained: bool) -> None:
    fill(store, "loc", 200)
    job, *_ = [release_job(store, LIMITS) for _ in range(3)]
    deliver(store, job, LIMITS, rate_limits(used))
    assert alone(store, 3) is explained


def test_a_429_proves_another_client(store: ClockedStore) -> None:
    fill(store, "loc", 200)
    job = release_job(store, LIMITS)
    store.throttle(AttemptReport(job.id, job.attempt, "{}", LIMITS, rate_limits(1)), wait=1)
    store.pass_time(1)
    assert not alone(store, 1)


def test_a_429_without_counts_proves_nothing_of_the_window(store: ClockedStore) -> None:
    fill(store, "loc", 200)
    job = release_job(store, LIMITS)
    store.throttle(AttemptReport(job.id, job.attempt, "{}", LIMITS, RateLimitInfo()), wait=1)
    store.pass_time(1)
    assert alone(store, 1)


def test_every_order_of_arrivals_and_answers_is_explained(store: ClockedStore) -> None:
    fill(store, "loc", 300)
    for arrivals in permutations(range(1, 4)):
        for answers in permutations(range(3)):
            jobs = [release_job(store, LIMITS) for _ in range(3)]
            for number in answers:
                store.pass_time(0.1)
                deliver(store, jobs[number], LIMITS, rate_limits(arrivals[number]))
            store.pass_time(11)
    assert alone(store, 0)


def test_foreign_requests_count_until_they_leave_the_window(store: ClockedStore) -> None:
    fill(store, "loc", 200)
    deliver(store, release_job(store, LIMITS), LIMITS, rate_limits(41))
    release_job(store, LIMITS)
    assert idle_seconds(store, LIMITS) == pytest.approx(LIMITS.window / (FASTER * (BURST - MARGIN - 40)), abs=1e-5)
    store.pass_time(LEASE + LIMITS.window)
    release_job(store, LIMITS)
    assert idle_seconds(store, LIMITS) == pytest.approx(LIMITS.window / (FASTER * (BURST - MARGIN)), abs=1e-5)


def test_slots_released_by_other_clients_are_free(store: ClockedStore) -> None:
    fill(store, "loc", 200)
    deliver(store, release_job(store, LIMITS), LIMITS, rate_limits(41))
    store.pass_time(1)
    deliver(store, release_job(store, LIMITS), LIMITS, rate_limits(2 + 10))
    store.pass_time(1)
    release_job(store, LIMITS)
    assert idle_seconds(store, LIMITS) == pytest.approx(LIMITS.window / (FASTER * (BURST - MARGIN - 10)), abs=1e-5)


def test_beside_another_client_our_requests_are_spread_and_leave_slots_free(store: ClockedStore) -> None:
    fill(store, "loc", 300)
    deliver(store, release_job(store, LIMITS), LIMITS, rate_limits(41))
    share = BURST - MARGIN - 40
    end = store.now + LIMITS.window - 0.001
    times = []
    while store.now < end:
        times += [job.released_at for job in release_due(store, LIMITS)]
        store.pass_time(min(idle_seconds(store, LIMITS), end - store.now))
    assert 1 + len(times) == share
    pauses = [later - before for before, later in pairwise(times)]
    # Faster while the window is not full, never all at once.
    assert min(pauses) >= LIMITS.window / (FASTER * share) - 1e-5
    assert max(pauses) <= LIMITS.window / share + 1e-5
    assert pauses[0] < pauses[-1]


def test_it_is_forgotten_a_minute_after_the_last_proof(store: ClockedStore) -> None:
    fill(store, "loc", 300)
    deliver(store, release_job(store, LIMITS), LIMITS, rate_limits(41))
    store.pass_time(30)
    job = release_job(store, LIMITS)
    deliver(store, job, LIMITS, rate_limits(41))
    store.pass_time(SHARED_FOR - 0.5)
    assert len(release_due(store, LIMITS)) == 1
    store.pass_time(0.5)
    assert alone(store, 1)


@pytest.mark.parametrize(("seconds", "learned"), [(0.0, True), (2.0, True), (2.001, False), (9.0, False)])
def test_a_late_answer_reports_a_past_window(store: ClockedStore, seconds: float, learned: bool) -> None:
    fill(store, "loc", 200)
    job = release_job(store, LIMITS)
    store.pass_time(seconds)
    deliver(store, job, LIMITS, rate_limits(41))
    assert alone(store, 1) is not learned


def test_a_stale_report_changes_no_rate_limit(store: ClockedStore) -> None:
    fill(store, "loc", 1)
    lost = release_job(store, LIMITS)
    store.pass_time(LEASE)
    store.reclaim(10, 5)
    again = release_job(store, LIMITS)
    assert (again.id, again.attempt) == (lost.id, 2)
    fill(store, "loc", 200)
    everything = RateLimitInfo(BURST, 0, LIMITS.window, LIMITS.daily, 0, 3600.0)
    report = AttemptReport(lost.id, lost.attempt, "{}", LIMITS, everything)
    assert store.retry(report, delay=1).code == "stale"
    assert store.lanes()[0].day_used == 2
    assert alone(store, 2)


@dataclass(frozen=True)
class Garbled(RateLimitInfo):
    """What no answer can have shown."""

    text: str = ""

    def as_argument(self) -> str:
        """Return the text as it is."""
        return self.text


@pytest.mark.parametrize(
    "text",
    ["-", "nothing", "1 2 3", "- - - - - -", "a b c d e f", "100 x 10000000 x 5 -", "- 3 - - 3 5", "1 1 1 1 1 1 1 1"],
)
def test_unreadable_limits_change_nothing(store: ClockedStore, text: str) -> None:
    fill(store, "loc", 200)
    deliver(store, release_job(store, LIMITS), LIMITS, Garbled(text=text))
    assert store.lanes()[0].day_used == 1
    assert alone(store, 1)
