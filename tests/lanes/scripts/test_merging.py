"""enqueue with merging and event times: what it changes of the whole of Redis, and what becomes of merged jobs."""

import json
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.new_job import NewJob
from tests.lanes.conftest import START, ClockedStore
from tests.lanes.whole_state import KEPT, KNOWN, fields_of, report, send, watch

EVENTS = "event_times:loc:rec"


def upsert(job_id: str, body: dict[str, object], **options: Any) -> NewJob:
    """An upsert of one record, with a body as producers write it."""
    return NewJob(
        job_id, "loc", "rec", json.dumps({"contactId": "c"} | body, separators=(",", ":")).encode(), **options
    )


def joins(job_id: str, target: str, merged_count: str = "1") -> dict[str, str]:
    """The changes of every merged job: no body of its own, and no queue position."""
    fields = {"state": "merged", "location": "loc", "record": "rec", "accepted_at": "t+0", "merged_into": target}
    return fields_of(f"job:{job_id}", **fields) | {
        f"merged_jobs:{target}.{job_id}": "in",
        f"job:{target}.merged_count": merged_count,
        **fields_of("lane:loc", accepted="1 -> 2", merged="1"),
    }


def body(before: dict[str, object], after: dict[str, object]) -> dict[str, str]:
    """How the body of job a changes."""
    texts = [json.dumps({"contactId": "c"} | each, separators=(",", ":")) for each in (before, after)]
    return {"body:a": " -> ".join(texts)}


def test_a_merged_job_adds_its_fields_to_the_one_that_waits(store: ClockedStore) -> None:
    store.enqueue(upsert("a", {"name": "old", "status": "open"}), KNOWN)
    with watch(store) as changed:
        store.enqueue(upsert("b", {"status": "won", "monetaryValue": 1.50}, merge=True, service="crm"), KNOWN)
    times = changed.pop("job:a.field_times").split()
    assert sorted(times) == ["monetaryValue=t+0", "status=t+0"]
    assert changed == joins("b", "a") | {"job:b.service": "crm"} | body(
        {"name": "old", "status": "open"}, {"name": "old", "status": "won", "monetaryValue": 1.5}
    )


def test_an_urgent_job_makes_its_merge_target_urgent(store: ClockedStore) -> None:
    store.enqueue(upsert("a", {"status": "open"}), KNOWN)
    with watch(store) as changed:
        store.enqueue(upsert("b", {"status": "won"}, merge=True, priority=3), KNOWN)
    urged = {"job:a.priority": "3", "ready:loc.a": "1 -> -299999999999999"}
    merged = body({"status": "open"}, {"status": "won"}) | {"job:a.field_times": "status=t+0"}
    assert changed == joins("b", "a") | merged | urged


LIVES: dict[str, tuple[float | None, dict[str, str]]] = {
    "for ever": (None, {"job:a.expires_at": "t+20 -> gone", "expiring.a": "t+20 -> gone"}),
    "longer": (30, {"job:a.expires_at": "t+20 -> t+30", "expiring.a": "t+20 -> t+30"}),
    "less long": (10, {}),
}


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("how", ["merged", "superseded"])
def test_a_merge_target_expires_after_all_its_merged_jobs(store: ClockedStore, life: str, how: str) -> None:
    seconds, outlasts = LIVES[life]
    end = None if seconds is None else START + seconds
    store.enqueue(upsert("a", {"status": "won"}, expires_at=START + 20, event_time=START - 5), KNOWN)
    late = upsert("b", {"status": "won"}, expires_at=end, merge=how == "merged")
    if how == "superseded":
        late = upsert("b", {"status": "open"}, expires_at=end, event_time=START - 9)
    with watch(store) as changed:
        store.enqueue(late, KNOWN)
    times = {"job:a.field_times": "status=t+0"} if how == "merged" else {}
    assert changed == joins("b", "a") | outlasts | times


@pytest.mark.parametrize("state", ["in flight", "tried before", "due before the order", "over"])
def test_what_must_not_be_altered_is_left_alone(store: ClockedStore, state: str) -> None:
    store.enqueue(
        upsert(
            "a",
            {"status": "open"},
            not_before=START + 5 if state == "due before the order" else None,
            expires_at=START + 8 if state == "over" else None,
        ),
        KNOWN,
    )
    if state in ("in flight", "tried before"):
        job = send(store)
        if state == "tried before":
            store.retry(report(job), delay=5)
    if state == "over":
        store.pass_time(8)
    not_before = START + 6 if state == "due before the order" else None
    newcomer = upsert("b", {"status": "won"}, merge=True, not_before=not_before)
    with watch(store) as changed:
        store.enqueue(newcomer, KNOWN)
    assert [name for name in changed if name.startswith(("job:a", "body:a", "merged_jobs"))] == []
    assert changed["blocked:loc:rec"] == "b"


def test_a_newer_event_is_blocked_and_noted(store: ClockedStore) -> None:
    store.enqueue(upsert("a", {"status": "open", "name": "n"}, event_time=START - 9), KNOWN)
    with watch(store) as changed:
        store.enqueue(upsert("b", {"status": "won"}, event_time=START - 5), KNOWN)
    assert {name: value for name, value in changed.items() if name.startswith(EVENTS)} == {
        f"{EVENTS}.status": "t-9 -> t-5",
        f"{EVENTS}.@time": "t-9 -> t-5",
        f"{EVENTS}.@job": "a -> b",
    }
    assert changed["blocked:loc:rec"] == "b"


def test_an_older_event_keeps_only_fields_that_no_newer_one_set(store: ClockedStore) -> None:
    store.enqueue(upsert("a", {"status": "won"}, event_time=START - 5), KNOWN)
    with watch(store) as changed:
        store.enqueue(upsert("b", {"status": "open", "name": "n"}, event_time=START - 9), KNOWN)
    assert changed["body:b"] == '{"contactId":"c","name":"n"}'
    assert {name: value for name, value in changed.items() if name.startswith(EVENTS)} == {f"{EVENTS}.name": "t-9"}


@pytest.mark.parametrize("state", ["pending", "in flight", "delivered", "dead"])
def test_an_older_event_without_new_fields_is_merged_into_the_newer(store: ClockedStore, state: str) -> None:
    store.enqueue(upsert("a", {"status": "won"}, event_time=START - 5), KNOWN)
    if state != "pending":
        job = send(store)
        if state == "delivered":
            store.deliver(report(job), retention=KEPT)
        if state == "dead":
            store.bury(report(job), reason="refused")
    with watch(store) as changed:
        store.enqueue(upsert("b", {"status": "open"}, event_time=START - 9), KNOWN)
    kept = {"job:b ttl": "60 min", "merged_jobs:a ttl": "60 min"} if state == "delivered" else {}
    expected = joins("b", "a") | kept
    if state == "delivered":  # what is done counts no merged jobs
        del expected["job:a.merged_count"]
    assert changed == expected


@pytest.mark.parametrize("state", ["cancelled", "expired", "over"])
def test_an_unsent_event_makes_none_stale(store: ClockedStore, state: str) -> None:
    store.enqueue(upsert("a", {"status": "won"}, event_time=START - 5, expires_at=START + 8), KNOWN)
    if state == "cancelled":
        store.cancel("a", KEPT)
    else:
        store.pass_time(8)
    if state == "expired":
        store.expire(9)
    store.enqueue(upsert("b", {"status": "open"}, event_time=START - 9), KNOWN)
    assert store.client.get(store.key("body", "b")) == b'{"contactId":"c","status":"open"}'
    assert send(store).id == "b"


@pytest.mark.parametrize("how", ["merged", "superseded"])
@pytest.mark.parametrize("fate", ["delivered", "purged"])
def test_a_merge_target_expires_together_with_its_merged_jobs(store: ClockedStore, how: str, fate: str) -> None:
    ends = START + 8
    store.enqueue(upsert("a", {"status": "won"}, event_time=START - 5, expires_at=ends), KNOWN)
    late = upsert("b", {"status": "won"}, merge=True, expires_at=ends)
    if how == "superseded":
        late = upsert("b", {"status": "open"}, event_time=START - 9, expires_at=ends)
    store.enqueue(late, KNOWN)
    assert store.cancel("a", KEPT) == "has_merged_jobs"
    kept = {"job:a ttl", "merged_jobs:a ttl", "job:b ttl"}
    if fate == "purged":
        store.pass_time(8)
        store.expire(9)
        assert store.client.pttl(store.key("done", "b")) == -1
    with watch(store) as changed:
        if fate == "delivered":
            job = send(store)
            assert job.merged_count == 1
            store.deliver(report(job), retention=KEPT)
            kept.add("attempts:a ttl")
        else:
            assert store.purge("a", KEPT) == "purged"
    ttls = {name: value for name, value in changed.items() if value == "60 min"}
    assert ttls == dict.fromkeys(kept, "60 min")
    assert list(check_consistency(store)) == []
    store.client.persist(store.key("done", "b"))
    assert [(found.where, found.code) for found in check_consistency(store)] == [("b", "job-ttl")]
