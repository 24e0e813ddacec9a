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
