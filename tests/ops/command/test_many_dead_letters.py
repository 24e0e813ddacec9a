"""A hundred thousand dead letters: at most one batch in memory, and no round trip for each."""

from collections.abc import Sequence
from itertools import islice

import pytest

from lanes.dead_letters import operations
from lanes.dead_letters.filter import DeadLetterFilter, count_matching, find_dead_letters
from lanes.dead_letters.groups import MAX_GROUPS, OTHER, group_by_error
from lanes.dead_letters.operations import STEP
from lanes.queue.connecting import connect
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.dead_letter_summary import DeadLetterSummary, summarize
from lanes.queue.job import Attempt, Job, Reason
from lanes.queue.new_job import NewJob
from lanes.queue.store import LaneStore

MANY = 100_000
BATCH = 5000


class WatchedStore(LaneStore):
    """Notes how many jobs each call reads, whole or in short."""

    def __init__(self, url: str) -> None:
        super().__init__(connect(url))
        self.batched: list[int] = []

    def read_jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        """Read jobs."""
        self.batched.append(len(job_ids))
        return super().read_jobs(job_ids)

    def summarize(self, job_ids: Sequence[str]) -> list[DeadLetterSummary | None]:
        """Read dead letters in short."""
        self.batched.append(len(job_ids))
        return super().summarize(job_ids)


@pytest.fixture
def store(redis_url: str) -> WatchedStore:
    """A store with all of them: every other one died of the same, each of the rest of something of its own."""
    store = WatchedStore(redis_url)
    for start in range(0, MANY, BATCH):
        operations.restore(store, [letter(number) for number in range(start, start + BATCH)])
    return store


def letter(number: int) -> DeadLetter:
    message = f"m{number}" if number % 2 else "The pipeline id is invalid."
    attempt = Attempt(1, "refused", 1.0, 2.0, {"status": 422, "message": message})
    order = NewJob(f"job{number}", f"loc{number % 3}", f"pipe/{number}", b"{}")
    return DeadLetter(order, Reason.REFUSED, 1.0, 2.0 + number / 1000, (attempt,))


def test_a_hundred_thousand_dead_letters_are_listed_and_grouped_in_batches(store: WatchedStore) -> None:
    assert len(list(islice(find_dead_letters(store, DeadLetterFilter()), 10))) == 10
    assert store.batched == [STEP], "more was read than was asked for"
    store.batched.clear()
    assert sum(1 for _ in find_dead_letters(store, DeadLetterFilter(location_id="loc1"))) == MANY // 3
    assert store.batched == [STEP] * (MANY // STEP)
    store.batched.clear()
    groups = group_by_error(map(summarize, find_dead_letters(store, DeadLetterFilter())))
    assert store.batched == [STEP] * (MANY // STEP)
    assert len(groups) == MAX_GROUPS + 1
    assert (groups[0].count, groups[0].message, len(groups[0].locations)) == (
        MANY // 2,
        "The pipeline id is invalid.",
        3,
    )
    assert (groups[1].count, groups[1].message) == (MANY // 2 - (MAX_GROUPS - 1), OTHER)
    store.batched.clear()
    assert count_matching(store, DeadLetterFilter(), DeadLetterFilter().time_range(store)) == MANY
    assert store.batched == [], "they were read to be counted"
