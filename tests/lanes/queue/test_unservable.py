"""Locations that a worker cannot serve: it releases nothing of theirs, and they lose nothing by it."""

import pytest

from lanes.checks.consistency import check_consistency
from lanes.credentials import CredentialStore
from lanes.queue.results import DueJobs, Idle, Released
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits
from tests.lanes.conftest import ClockedStore, Orders
from tests.lanes.whole_state import watch

LIMITS = DefaultLimits(burst=100, window=10, daily=100_000)
PAUSE = 0.25


def make_consumer(name: str, unservable: str = "") -> Consumer:
    return Consumer(name, 30, 3600, LIMITS, unservable)


def location_of(released: object) -> str | None:
    return released.location_id if isinstance(released, Released) else None


@pytest.fixture
def tokens(store: ClockedStore) -> CredentialStore:
    return CredentialStore(store)


def test_unservable_jobs_are_unchanged_and_keep_their_turn_for_other_workers(
    store: ClockedStore, order: Orders, tokens: CredentialStore
) -> None:
    assert tokens.mark_unservable("bad", ["a", "b"], 60) == 2
    store.enqueue_many([order(location) for location in "abc"], 60)
    assert location_of(store.release(make_consumer("bad#1", "bad")).next) == "c"
    with watch(store) as changed:
        assert store.release(make_consumer("bad#2", "bad")).next == Idle(PAUSE)
    assert changed == {}
    assert [location_of(store.release(make_consumer(f"good#{n}")).next) for n in range(3)] == ["a", "b", None]
    assert list(check_consistency(store)) == []


@pytest.mark.parametrize("lanes", [1, 99, 100, 101, 250])
def test_it_finds_the_one_servable_lane_among_many(
    store: ClockedStore, order: Orders, tokens: CredentialStore, lanes: int
) -> None:
    theirs = [f"loc-{number}" for number in range(lanes)]
    tokens.mark_unservable("bad", theirs, 60)
    store.enqueue_many([order(location) for location in theirs], 60)
    store.pass_time(1)
    assert store.count_due(9, LIMITS, "bad") == DueJobs(0, PAUSE)
    store.enqueue_many([order("own", "one"), order("own", "two")], 60)
    assert store.count_due(9, LIMITS, "bad") == DueJobs(2, 0)
    job = store.release(make_consumer("bad#1", "bad")).next
    assert isinstance(job, Released)
    assert job.location_id == "own"
    # So does a report that takes the next job.
    report = AttemptReport(job.id, job.attempt, "{}", LIMITS)
    assert location_of(store.deliver(report, retention=60, release_for=make_consumer("bad#1", "bad")).next) == "own"
    assert store.count_due(1000, LIMITS).due == lanes


def test_a_polling_worker_takes_no_turn_from_lanes_it_cannot_serve(
    store: ClockedStore, order: Orders, tokens: CredentialStore
) -> None:
    """Two lanes are always due; a worker that can serve neither asks often before each release of another worker."""
    tokens.mark_unservable("bad", ["a", "b"], 60)
    store.enqueue_many([order(location, f"r{number}") for number in range(6) for location in "ab"], 60)
    served = []
    for number in range(12):
        for asks in range(5):
            store.pass_time(0.001)
            assert store.release(make_consumer(f"bad#{asks}", "bad")).next == Idle(PAUSE)
        served.append(location_of(store.release(make_consumer(f"good#{number}")).next))
    assert served == ["a", "b"] * 6


def test_while_the_breaker_is_open_it_probes_with_what_it_can_serve(
    store: ClockedStore, order: Orders, tokens: CredentialStore
) -> None:
    tokens.mark_unservable("bad", ["a"], 60)
    store.enqueue_many([order("a"), order("b")], 60)
    store.hold_all("why", "operator")
    assert store.release(make_consumer("bad#1", "bad")).next == Idle(None)
    store.resume_all()
    assert location_of(store.release(make_consumer("bad#1", "bad")).next) == "b"


def test_a_mark_lasts_until_it_is_not_renewed(store: ClockedStore, tokens: CredentialStore) -> None:
    assert tokens.mark_unservable("bad", ["a"], 60) == 1
    assert tokens.mark_unservable("bad", ["a"], 60) == 0
    assert 0 < store.client.pttl(store.key("unservable", "bad")) <= 60_000
    assert tokens.unservable("bad") == {"a"}
    tokens.unmark_unservable("bad", ["a", "z"])
    assert tokens.unservable("bad") == set()
    assert tokens.mark_unservable("bad", [], 60) == 0
    assert not store.client.exists(store.key("unservable", "bad"))


def test_a_full_redis_takes_the_mark(store: ClockedStore, tokens: CredentialStore) -> None:
    store.client.config_set("maxmemory", 1)
    try:
        assert tokens.mark_unservable("bad", ["a"], 60) == 1
    finally:
        store.client.config_set("maxmemory", 0)


@pytest.mark.parametrize("raw", [b"", b"no number", b"12", b"\xff\xfe 12", b"-1 x", b"1_0 x", b" x", "٣ x".encode()])
def test_whatever_is_stored_is_read(store: ClockedStore, tokens: CredentialStore, raw: bytes) -> None:
    store.client.hset(store.key("tokens"), "loc", raw)
    store.client.set(store.key("token_lock", "loc"), b"\xff", px=60_000)
    stored = tokens.read("loc")
    assert stored.encrypted
    assert stored.version in (0, 12)
    assert tokens.store_credential("loc", b"new") > 0
    assert tokens.read("loc").encrypted == b"new"
