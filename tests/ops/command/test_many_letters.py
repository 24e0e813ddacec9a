"""A hundred thousand dead letters: never more than a batch of them in memory, nor a round trip for each."""

from collections.abc import Sequence
from itertools import islice

import pytest

from lanes import letters
from lanes.job import Attempt, Job, Reason
from lanes.letter import Letter
from lanes.letter_choice import Choice, choose, count_chosen
from lanes.letter_groups import MOST_GROUPS, OTHER, group
from lanes.letter_summary import Summary, summarize
from lanes.letters import STEP
from lanes.order import Order
from lanes.store import LaneStore, connect

MANY = 100_000
BATCH = 5000


class WatchedStore(LaneStore):
    """Notes how many jobs each call reads, whole or in short."""

    def __init__(self, url: str) -> None:
        super().__init__(connect(url))
        self.batches: list[int] = []

    def read_jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        """Read jobs."""
        self.batches.append(len(job_ids))
        return super().read_jobs(job_ids)

    def summarize(self, job_ids: Sequence[str]) -> list[Summary | None]:
        """Read dead letters in short."""
        self.batches.append(len(job_ids))
        return super().summarize(job_ids)


@pytest.fixture
def store(redis_url: str) -> WatchedStore:
    """A store with all of them: every other one died of the same, each of the rest of something of its own."""
    store = WatchedStore(redis_url)
    for start in range(0, MANY, BATCH):
        letters.restore(store, [letter(number) for number in range(start, start + BATCH)])
    return store


def letter(number: int) -> Letter:
    message = f"m{number}" if number % 2 else "The pipeline id is invalid."
    attempt = Attempt(1, "refused", 1.0, 2.0, {"status": 422, "message": message})
    order = Order(f"job{number}", f"loc{number % 3}", f"pipe/{number}", b"{}")
    return Letter(order, Reason.REFUSED, 1.0, 2.0 + number / 1000, (attempt,))


def test_a_hundred_thousand_letters_are_listed_and_grouped_in_batches(store: WatchedStore) -> None:
    assert len(list(islice(choose(store, Choice()), 10))) == 10
    assert store.batches == [STEP], "more was read than was asked for"
    store.batches.clear()
    assert sum(1 for _ in choose(store, Choice(location_id="loc1"))) == MANY // 3
    assert store.batches == [STEP] * (MANY // STEP)
    store.batches.clear()
    groups = group(map(summarize, choose(store, Choice())))
    assert store.batches == [STEP] * (MANY // STEP)
    assert len(groups) == MOST_GROUPS + 1
    assert (groups[0].count, groups[0].message, len(groups[0].locations)) == (
        MANY // 2,
        "The pipeline id is invalid.",
        3,
    )
    assert (groups[1].count, groups[1].message) == (MANY // 2 - (MOST_GROUPS - 1), OTHER)
    store.batches.clear()
    assert count_chosen(store, Choice(), Choice().span(store)) == MANY
    assert store.batches == [], "they were read to be counted"
