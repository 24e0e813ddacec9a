"""How dead letters are read and moved in batches, while others come and go, and on a full Redis."""

import pytest

from lanes import letters
from lanes.audit import audit
from lanes.errors import RedisUnavailableError
from lanes.job import Reason
from lanes.letter import Letter
from lanes.letters import Span
from lanes.order import Order
from lanes.store import LaneStore, connect
from tests.lanes.test_letters import bury


def seed(store: LaneStore, number: int, instants: int) -> Span:
    """Make letters that died at so many different instants, and return the span of them all."""
    now = letters.until_now(store).until
    for start in range(0, number, 5000):
        some = range(start, min(start + 5000, number))
        letters.restore(
            store,
            [
                Letter(Order(f"j{n:06}", f"loc{n % 3}", f"p/{n}", b"{}"), Reason.REFUSED, 1.0, 1.0 + n % instants, ())
                for n in some
            ],
        )
    return Span(now)


def test_letters_that_died_in_the_same_instant_are_all_read(redis_url: str) -> None:
    store = LaneStore(connect(redis_url))
    span = seed(store, 700, 3)
    ids = [job_id for batch in letters.read_ids(store, span, step=10) for job_id in batch]
    assert (len(ids), len(set(ids))) == (700, 700)


def test_what_moves_while_it_is_read_is_met_once(redis_url: str) -> None:
    """Replayed letters leave the order in which they stand, and may die again at once."""
    store = LaneStore(connect(redis_url))
    span, seen = seed(store, 100, 7), []
    for batch in letters.read_ids(store, span, step=10):
        seen += batch
        assert [moved.answer for moved in letters.replay(store, batch)] == ["replayed"] * len(batch)
        for _ in batch:
            bury(store)
    assert sorted(seen) == [f"j{n:06}" for n in range(100)]


def test_a_full_redis_lets_letters_be_purged_and_nothing_be_added(redis_url: str) -> None:
    store = LaneStore(connect(redis_url))
    seed(store, 3, 3)
    body = store.client.get(store.key("body", "j000000"))
    store.client.config_set("maxmemory", 1)
    try:
        letter = Letter(Order("new", "loc", "p/c", b"{}"), Reason.REFUSED, 1.0, 1.0, ())
        with pytest.raises(RedisUnavailableError, match="OOM"):
            letters.restore(store, [letter])
        with pytest.raises(RedisUnavailableError, match="OOM"):
            store.edit("j000000", b"{}", Order("j000000", "loc0", "p/0", b'{"a":1}'))
        assert store.client.get(store.key("body", "j000000")) == body
        assert store.purge("j000000", 60) == "purged"
    finally:
        store.client.config_set("maxmemory", 0)
    assert store.counts()["dead"] == 2
    assert list(audit(store)) == []
