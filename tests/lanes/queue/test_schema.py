"""Data of another layout are refused, in one line."""

import pytest

from lanes.errors import RedisUnavailableError, Trouble
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Reason
from lanes.queue.store import LaneStore
from lanes.storage.keys import SCHEMA
from tests.lanes.conftest import ClockedStore, Orders


def reopened(store: ClockedStore) -> LaneStore:
    return LaneStore(store.client, store.prefix)


@pytest.mark.parametrize("stored", [str(int(SCHEMA) - 1), str(int(SCHEMA) + 1), "", "nonsense\n" * 50, b"\xff"])
def test_data_of_another_schema_are_refused(store: ClockedStore, stored: str | bytes) -> None:
    store.client.set(store.key("schema"), stored)
    with pytest.raises(RedisUnavailableError, match=rf"^the data in .* reads schema {SCHEMA}") as refused:
        reopened(store).counts()
    assert refused.value.trouble is Trouble.SCHEMA
    assert not refused.value.trouble.is_transient
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_key_of_another_type_is_refused(store: ClockedStore) -> None:
    store.client.hset(store.key("schema"), "a", "b")
    with pytest.raises(RedisUnavailableError, match="`schema` in Redis is broken: it is no string"):
        reopened(store).counts()


def test_nothing_stored_is_fine(store: ClockedStore) -> None:
    assert reopened(store).counts()["accepted"] == 0


def test_the_first_job_notes_the_schema(store: ClockedStore, order: Orders) -> None:
    store.hold("one", "looked at", "ada")
    store.hold("two", "looked at", "ada")
    store.enqueue(order("one"), 60)
    assert store.client.get(store.key("schema")) == SCHEMA.encode()
    assert reopened(store).counts()["accepted"] == 1


def test_the_first_dead_letter_writes_the_schema(store: ClockedStore, order: Orders) -> None:
    store.restore(DeadLetter(order(), Reason.REFUSED, 1.0, 2.0, ()))
    assert store.client.get(store.key("schema")) == SCHEMA.encode()
