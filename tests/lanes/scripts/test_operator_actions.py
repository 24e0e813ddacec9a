"""cancel, replay, purge, hold, resume, limit: what services and people change of the whole of Redis."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.whole_state import (
    KEPT,
    KNOWN,
    dead_letter_unindexed,
    fields_of,
    held,
    make_consumer,
    report,
    send,
    watch,
)

RECORD = "pipe/contact"
VERBS: dict[str, Callable[[ClockedStore, str], str]] = {
    "cancel": lambda store, job_id: store.cancel(job_id, KEPT),
    "replay": lambda store, job_id: store.replay(job_id),
    "purge": lambda store, job_id: store.purge(job_id, KEPT),
}


def bury(store: ClockedStore, order: Orders, **options: Any) -> None:
    """Make a dead letter; three seconds pass."""
    store.enqueue(order(**options), KNOWN)
    store.bury(report(send(store)), reason="refused")
    store.pass_time(3)


@pytest.mark.parametrize("waits", ["ready", "later"])
def test_cancel_removes_an_active_job_and_its_record_goes_on(store: ClockedStore, order: Orders, waits: str) -> None:
    not_before = START + 30 if waits == "later" else None
    store.enqueue_many([order(not_before=not_before, expires_at=START + 60), order()], KNOWN)
    store.pass_time(3)
    with watch(store) as changed:
        assert store.cancel("job1", KEPT) == "cancelled"
    place = {"ready:loc.job1": "1 -> gone"}
    if waits == "later":
        place = {"delayed:loc.job1": "t+30 -> gone", "due.loc": "t+30 -> t+3"}
    assert changed == place | {
        **fields_of("job:job1", state="pending -> cancelled", ended_at="t+3"),
        "job:job1 ttl": "60 min",
        "body:job1": '{"n":1} -> gone',
        "expiring.job1": "t+60 -> gone",
        f"active:loc.{RECORD}": "job1 -> job2",
        f"blocked:loc:{RECORD}": "job2 -> gone",
        "ready:loc.job2": "2",
        **fields_of("lane:loc", pending="2 -> 1", cancelled="1"),
    }


def test_cancel_removes_a_blocked_job_from_the_middle(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(), order(), order()], KNOWN)
    with watch(store) as changed:
        assert store.cancel("job2", KEPT) == "cancelled"
    assert changed == {
        **fields_of("job:job2", state="pending -> cancelled", ended_at="t+0"),
        "job:job2 ttl": "60 min",
        "body:job2": '{"n":2} -> gone',
        f"blocked:loc:{RECORD}": "job2, job3 -> job3",
        **fields_of("lane:loc", pending="3 -> 2", cancelled="1"),
    }


def test_cancel_leaves_a_merge_target_alone(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(), order(merge=True)], KNOWN)
    with watch(store) as changed:
        assert store.cancel("job1", KEPT) == "has_merged_jobs"
        assert store.cancel("job2", KEPT) == "merged"
    assert changed == {}


def test_replay_sends_a_dead_letter_again_as_the_youngest_without_its_old_terms(
    store: ClockedStore, order: Orders
) -> None:
    bury(store, order, not_before=START, expires_at=START + 60)
    with watch(store) as changed:
        assert store.replay("job1") == "replayed"
    assert changed == {
        **fields_of("job:job1", state="dead -> pending", seq="1 -> 2", first_seq="1", failures="0"),
        **fields_of("job:job1", replayed_at="t+3", held_before="0"),
        **fields_of("job:job1", reason="refused -> gone", ended_at="t+0 -> gone"),
        **fields_of("job:job1", not_before="t+0 -> gone", expires_at="t+60 -> gone"),
        "dead.job1": "t+0 -> gone",
        f"active:loc.{RECORD}": "job1",
        "ready:loc.job1": "2",
        "due.loc": "t+3",
        **fields_of("lane:loc", seq="1 -> 2", dead="1 -> 0", pending="0 -> 1"),
    }


def test_a_replayed_job_goes_before_the_newer_ones_of_its_record(store: ClockedStore, order: Orders) -> None:
    bury(store, order)
    store.enqueue(order(priority=4, not_before=START + 30), KNOWN)
    with watch(store) as changed:
        assert store.replay("job1") == "replayed"
    assert changed == {
        **fields_of("job:job1", state="dead -> pending", seq="1 -> 2", first_seq="1", failures="0", priority="4"),
        **fields_of("job:job1", replayed_at="t+3", held_before="0"),
        **fields_of("job:job1", reason="refused -> gone", ended_at="t+0 -> gone"),
        "dead.job1": "t+0 -> gone",
        f"active:loc.{RECORD}": "job2 -> job1",
        f"blocked:loc:{RECORD}": "job2",
        "delayed:loc.job2": "t+30 -> gone",
        "ready:loc.job1": "-399999999999998",
        "due.loc": "t+30 -> t+3",
        **fields_of("lane:loc", dead="1 -> 0", pending="1 -> 2"),
    }


def test_a_forced_replay_comes_after_the_other_jobs_of_its_record_and_makes_them_urgent(
    store: ClockedStore, order: Orders
) -> None:
    bury(store, order, priority=4)
    store.enqueue(order(), KNOWN)
    with watch(store) as changed:
        assert store.replay("job1", force=True) == "replayed"
    assert changed == {
        **fields_of("job:job1", state="dead -> pending", seq="1 -> 3", first_seq="1", failures="0"),
        **fields_of("job:job1", replayed_at="t+3", held_before="0"),
        **fields_of("job:job1", reason="refused -> gone", ended_at="t+0 -> gone"),
        "dead.job1": "t+0 -> gone",
        f"blocked:loc:{RECORD}": "job1",
        "job:job2.priority": "4",
        "ready:loc.job2": "2 -> -399999999999998",
        **fields_of("lane:loc", seq="2 -> 3", dead="1 -> 0", pending="1 -> 2"),
    }


def test_purge_removes_a_dead_letter_with_its_merged_jobs(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    bury(store, order, merge=True)
    with watch(store) as changed:
        assert store.purge("job1", KEPT) == "purged"
    assert changed == {
        **fields_of("job:job1", state="dead -> cancelled", reason="refused -> purged", ended_at="t+0 -> t+3"),
        "dead.job1": "t+0 -> gone",
        "body:job1": '{"n":2} -> gone',
        "job:job1 ttl": "60 min",
        "attempts:job1 ttl": "60 min",
        "merged_jobs:job1 ttl": "60 min",
        "job:job2 ttl": "60 min",
        **dead_letter_unindexed(),
        **fields_of("lane:loc", dead="1 -> 0", cancelled="1"),
    }


@pytest.mark.parametrize(
    ("state", "verbs"),
    [
        ("unknown", ("cancel", "replay", "purge")),
        ("pending", ("replay", "purge")),
        ("in_flight", ("cancel", "replay", "purge")),
        ("delivered", ("cancel", "replay", "purge")),
        ("dead", ("cancel",)),
        ("cancelled", ("cancel", "replay", "purge")),
        ("expired", ("cancel",)),
    ],
)
def test_a_job_in_another_state_is_left_alone(
    store: ClockedStore, order: Orders, state: str, verbs: tuple[str, ...]
) -> None:
    if state != "unknown":
        store.enqueue(order(expires_at=START + 60), KNOWN)
    if state in ("in_flight", "delivered", "dead"):
        job = send(store)
        if state == "delivered":
            store.deliver(report(job), retention=KEPT)
        if state == "dead":
            store.bury(report(job), reason="refused")
    if state == "cancelled":
        store.cancel("job1", KEPT)
    if state == "expired":
        store.pass_time(60)
        store.expire(9)
    with watch(store) as changed:
        assert {VERBS[verb](store, "job1") for verb in verbs} == {state}
    assert changed == {}


def test_hold_stops_a_lane(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    with watch(store) as changed:
        assert store.hold("loc", "why", "operator") == "held"
    assert changed == held("loc", "operator", "why", at=0) | {"due.loc": "t+0 -> gone"}


def test_a_lane_can_be_held_before_its_first_job(store: ClockedStore) -> None:
    with watch(store) as changed:
        assert store.hold("loc", "why", "operator") == "held"
    assert changed == held("loc", "operator", "why", at=0) | {"locations.loc": "in"}


@pytest.mark.parametrize(
    ("not_before", "due"), [(None, {"due.loc": "t+3"}), (START + 30, {"due.loc": "t+30"})], ids=["ready", "later"]
)
def test_resume_lets_a_lane_go_on(
    store: ClockedStore, order: Orders, not_before: float | None, due: dict[str, str]
) -> None:
    store.enqueue(order(not_before=not_before), KNOWN)
    store.hold("loc", "why", "operator")
    store.pass_time(3)
    with watch(store) as changed:
        assert store.resume("loc") == "resumed"
        assert store.resume("loc") == "free"
    free = fields_of("lane:loc", hold="why -> gone", held_by="operator -> gone", held_at="t+0 -> gone")
    assert changed == free | due | {"held_time.loc": "-t+0 -> =3000000"}


@pytest.mark.parametrize("location", ["loc", "unheard of"])
def test_resume_of_a_lane_that_is_not_held_changes_nothing(store: ClockedStore, order: Orders, location: str) -> None:
    store.enqueue(order(), KNOWN)
    with watch(store) as changed:
        assert store.resume(location) == "free"
    assert changed == {}


def test_limit_sets_what_is_given_and_resets_the_rest(store: ClockedStore) -> None:
    with watch(store) as changed:
        assert store.limit("loc", burst=5, daily=70, weight=3) == "limited"
    assert changed == fields_of("lane:loc", burst="5", daily="70", weight="3") | {"locations.loc": "in"}
    with watch(store) as changed:
        store.limit("loc", burst=None, daily=80, weight=None)
    assert changed == fields_of("lane:loc", burst="5 -> gone", daily="70 -> 80", weight="3 -> gone")


@pytest.mark.parametrize(
    ("not_before", "due"), [(None, "t+70 -> t+3"), (START + 30, "t+70 -> t+30")], ids=["ready", "later"]
)
def test_a_lane_that_waited_for_its_limit_goes_on_with_a_new_one(
    store: ClockedStore, order: Orders, not_before: float | None, due: str
) -> None:
    store.enqueue_many([order(record=record) for record in "abc"], KNOWN)
    for worker in ("w1", "w2", "w3"):
        store.release(make_consumer(worker))
    store.cancel("job3", KEPT)
    store.enqueue(order(not_before=not_before), KNOWN)
    store.pass_time(3)
    with watch(store) as changed:
        store.limit("loc", burst=5, daily=None, weight=None)
    assert changed == {"lane:loc.burst": "5", "lane:loc.rate_limited_until": "t+70 -> gone", "due.loc": due}


def test_a_held_lane_stays_held_with_a_new_limit(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    store.hold("loc", "why", "operator")
    with watch(store) as changed:
        store.limit("loc", burst=5, daily=None, weight=None)
    assert changed == {"lane:loc.burst": "5"}
