"""How dead letters are read and moved in batches, while others come and go, and on a full Redis."""

import pytest

from lanes.checks.consistency import check_consistency
from lanes.dead_letters import operations
from lanes.dead_letters.operations import TimeRange
from lanes.errors import RedisUnavailableError
from lanes.queue.connecting import connect
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Reason
from lanes.queue.new_job import NewJob
from lanes.queue.store import LaneStore
from tests.lanes.dead_letters.test_dead_letters import bury


def seed(store: LaneStore, number: int, instants: int) -> TimeRange:
    """Make dead letters that failed at different times; return the time range of all."""
    now = operations.until_now(store).until
    for start in range(0, number, 5000):
        some = range(start, min(start + 5000, number))
        operations.restore(
            store,
            [
                DeadLetter(
                    NewJob(f"j{n:06}", f"loc{n % 3}", f"p/{n}", b"{}"), Reason.REFUSED, 1.0, 1.0 + n % instants, ()
                )
                for n in some
            ],
        )
    return TimeRange(now)


def test_dead_letters_of_the_same_instant_are_all_read(redis_url: str) -> None:
    store = LaneStore(connect(redis_url))
    time_range = seed(store, 700, 3)
    ids = [job_id for batch in operations.read_ids(store, time_range, step=10) for job_id in batch]
    assert (len(ids), len(set(ids))) == (700, 700)


def test_a_dead_letter_that_moves_during_the_read_is_read_once(redis_url: str) -> None:
    """Replayed dead letters leave the order that is being read, and may fail again at once."""
    store = LaneStore(connect(redis_url))
    time_range, seen = seed(store, 100, 7), []
    for batch in operations.read_ids(store, time_range, step=10):
        seen += batch
        assert [moved.answer for moved in operations.replay(store, batch)] == ["replayed"] * len(batch)
        for _ in batch:
            bury(store)
    assert sorted(seen) == [f"j{n:06}" for n in range(100)]


def test_a_full_redis_allows_purges_and_adds_nothing(redis_url: str) -> None:
    store = LaneStore(connect(redis_url))
    seed(store, 3, 3)
    body = store.client.get(store.key("body", "j000000"))
    store.client.config_set("maxmemory", 1)
    try:
        dead_letter = DeadLetter(NewJob("new", "loc", "p/c", b"{}"), Reason.REFUSED, 1.0, 1.0, ())
        with pytest.raises(RedisUnavailableError, match="its memory is full"):
            operations.restore(store, [dead_letter])
        with pytest.raises(RedisUnavailableError, match="its memory is full"):
            store.edit("j000000", b"{}", NewJob("j000000", "loc0", "p/0", b'{"a":1}'))
        assert store.client.get(store.key("body", "j000000")) == body
        assert store.purge("j000000", 60) == "purged"
    finally:
        store.client.config_set("maxmemory", 0)
    assert store.counts()["dead"] == 2
    assert list(check_consistency(store)) == []
