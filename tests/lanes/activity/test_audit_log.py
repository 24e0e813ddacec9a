"""The audit log: who changed what."""

import redis

from lanes.activity import audit_log
from lanes.queue.store import AUDIT_LOG_ENTRIES
from tests.lanes.conftest import ClockedStore


def test_the_newest_entry_comes_first_and_older_ones_page_by_page(store: ClockedStore) -> None:
    for number in range(5):
        audit_log.append(store, "anna", "hold", f"loc-{number}", "to look")
    first = audit_log.read(store, 2)
    assert [(each.who, each.what, each.on, each.detail) for each in first] == [
        ("anna", "hold", "loc-4", "to look"),
        ("anna", "hold", "loc-3", "to look"),
    ]
    assert [each.on for each in audit_log.read(store, 9, before=first[-1].id)] == ["loc-2", "loc-1", "loc-0"]
    assert first[0].at >= first[1].at > 0
    assert first[0].as_json()["who"] == "anna"


def test_an_entry_keeps_the_user_beside_the_name(store: ClockedStore) -> None:
    audit_log.append(store, "grace", "hold", "loc", user="ada@host")
    audit_log.append(store, "ana", "hold", "loc")
    store.client.xadd(store.key("audit_log"), {"who": b"\xff"})  # of another version, or broken
    broken, page, command = audit_log.read(store)
    assert (command.who, command.user, command.person) == ("grace", "ada@host", "grace (ada@host)")
    assert (page.user, page.person) == ("ana", "ana")
    assert (broken.who, broken.what) == ("\udcff", "")


def test_each_entry_is_claimed_once_and_again_if_it_is_not_acknowledged(store: ClockedStore) -> None:
    assert audit_log.claim(store, 10) == []
    assert not store.client.exists(store.key("audit_log"))
    for number in range(5):
        audit_log.append(store, "anna", "hold", f"loc-{number}")
    first, second = audit_log.claim(store, 3), audit_log.claim(store, 3)
    assert [entry.on for entry in (*first, *second)] == [f"loc-{number}" for number in range(5)]
    assert audit_log.claim(store, 3) == []
    audit_log.acknowledge(store, second)
    assert audit_log.claim(store, 10, lease=0.0) == first  # the worker that claimed them died
    audit_log.acknowledge(store, first)
    assert audit_log.claim(store, 10, lease=0.0) == []
    audit_log.append(store, "anna", "hold", "trimmed")
    assert len(audit_log.claim(store, 10)) == 1
    store.client.xtrim(store.key("audit_log"), 0, approximate=False)
    assert audit_log.claim(store, 10, lease=0.0) == []


def test_the_audit_log_is_bounded(store: ClockedStore) -> None:
    pipeline = store.client.pipeline(transaction=False)
    for number in range(AUDIT_LOG_ENTRIES + 500):
        pipeline.xadd(store.key("audit_log"), {"who": "a", "what": "b", "on": str(number), "detail": ""})
    pipeline.execute()
    audit_log.append(store, "anna", "hold", "loc")
    audit_log.append(store, "anna", "hold", "the last")
    assert AUDIT_LOG_ENTRIES <= store.client.xlen(store.key("audit_log")) < AUDIT_LOG_ENTRIES + 200
    assert audit_log.read(store, 1)[0].on == "the last"


def test_a_full_redis_takes_an_entry(store: ClockedStore) -> None:
    store.client.config_set("maxmemory", 1)
    try:
        assert audit_log.append(store, "anna", "purge", "all")
        assert audit_log.read(store)[0].what == "purge"
    finally:
        store.client.config_set("maxmemory", 0)


def test_any_text_is_read_as_it_was_written(store: ClockedStore) -> None:
    audit_log.append(store, "ä ö\n", "hold", "<loc>/'\"", "\x1b[31m")
    [entry] = audit_log.read(store)
    assert (entry.who, entry.on, entry.detail) == ("ä ö\n", "<loc>/'\"", "\x1b[31m")
    assert isinstance(store.client, redis.Redis)
