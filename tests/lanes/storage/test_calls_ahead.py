"""Calls of a script that are sent while the caller uses the reply before."""

from collections.abc import Callable

import pytest

from lanes.storage.pool import call_ahead
from tests.helpers import until
from tests.lanes.conftest import ClockedStore, Orders
from tests.lanes.whole_state import KNOWN

NAMES = [f"loc-{number}" for number in range(6)]


@pytest.fixture
def full(store: ClockedStore, order: Orders) -> ClockedStore:
    """A store with a lane for each name."""
    store.enqueue_many([order(name) for name in NAMES], KNOWN)
    return store


def calls_of_scripts(store: ClockedStore) -> int:
    return int(store.client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])


def disconnect(store: ClockedStore) -> None:
    store.client.client_kill_filter(_type="normal", skipme=True)


def forget_script(store: ClockedStore) -> None:
    store.client.script_flush()


def test_redis_works_on_the_next_call_while_the_caller_uses_a_reply(full: ClockedStore) -> None:
    replies = full.run_readers("read_lanes", [[name] for name in NAMES])
    next(replies)
    next(replies)
    before = calls_of_scripts(full)
    next(replies)
    until(lambda: calls_of_scripts(full) == before + 1, "the call after the one that was answered")
    assert len(list(replies)) == 3
    assert calls_of_scripts(full) == before + 3


@pytest.mark.parametrize("break_", [disconnect, forget_script])
@pytest.mark.parametrize("used", [0, 1, 2, 5])
def test_a_broken_connection_and_a_forgotten_script_lose_no_reply(
    full: ClockedStore, used: int, break_: Callable[[ClockedStore], None]
) -> None:
    expected = [full.read_lanes([name])[0].counts for name in NAMES]
    replies = full.run_readers("read_lanes", [[name] for name in NAMES])
    found = [next(replies) for _ in range(used)]
    break_(full)
    found += replies
    lanes = [full._lanes([name], reply)[0] for name, reply in zip(NAMES, found, strict=True)]
    assert [lane.counts for lane in lanes] == expected


def test_who_stops_early_leaves_no_reply_for_others(full: ClockedStore) -> None:
    replies = call_ahead(full.client, [("ECHO", "first"), ("BLPOP", "no such list", 1)])  # whose reply comes later
    assert next(replies) == b"first"
    replies.close()
    assert full.client.echo("mine") == b"mine"
    assert list(call_ahead(full.client, [("ECHO", "alone")])) == [b"alone"]
    assert list(call_ahead(full.client, [])) == []
