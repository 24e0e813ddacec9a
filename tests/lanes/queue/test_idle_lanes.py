"""Idle lanes end: their keys go, their counts stay in the totals, and a new job begins a new lane."""

from collections.abc import Callable
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.credentials import CredentialStore
from lanes.queue.lane import COUNTS
from lanes.queue.new_job import EnqueueResult, EnqueueStatus
from lanes.queue.transitions import AttemptReport, RateLimitInfo
from lanes.storage.keys import KEYS
from tests.lanes.conftest import LIMITS, ClockedStore, Orders, make_consumer
from tests.lanes.whole_state import report, send

DAY = 86_400.0
HOUR = 3600.0


def end_lanes(store: ClockedStore) -> list[str]:
    """End idle lanes as workers do, in small steps."""
    ended, cursor = list[str](), 0
    while True:
        cursor, some = store.end_idle_lanes(cursor, 10)
        ended += some
        if not cursor:
            return sorted(ended)


def deliver_one(store: ClockedStore, order: Orders, location: str = "loc", *, retention: float = HOUR) -> None:
    store.enqueue(order(location), HOUR)
    store.deliver(report(send(store)), retention=retention)


def expire_jobs(store: ClockedStore) -> None:
    """Remove what Redis would have removed by the clock of the test."""
    client: Any = store.client
    for name in client.scan_iter(match=f"{store.prefix}*"):
        if client.pttl(name) > 0:
            client.delete(name)


def lane_keys(store: ClockedStore, location: str) -> set[str]:
    """Return which keys of a location exist, except those that expire by themselves."""
    kinds = (kind for kind, key in KEYS.items() if key.fields and key.fields[0] == "location")
    client: Any = store.client
    return {
        kind
        for kind in kinds
        for name in (store.key(kind, location, *("*",) * (len(KEYS[kind].fields) - 1)),)
        for found in client.scan_iter(match=name)
        if client.pttl(found) == -1
    }


def test_a_lane_ends_a_day_after_its_last_request(store: ClockedStore, order: Orders) -> None:
    deliver_one(store, order)
    counts = store.counts()
    store.pass_time(DAY)
    assert end_lanes(store) == []  # its rate slot was taken for 10 s
    store.pass_time(901 + 10)
    expire_jobs(store)
    assert end_lanes(store) == ["loc"]
    assert (store.locations(), lane_keys(store, "loc")) == (set(), set())
    assert store.counts() == counts
    assert list(check_consistency(store)) == []


@pytest.mark.parametrize(
    "keep",
    [
        lambda store, order: store.enqueue(order(), HOUR),
        lambda store, _: store.hold("loc", "why", "ada"),
        lambda store, _: store.limit("loc", 5, None, None),
        lambda store, _: store.limit("loc", None, 5, None),
        lambda store, _: store.limit("loc", None, None, 5),
        lambda store, order: deliver_one(store, order, retention=30 * DAY),
        lambda store, order: (store.enqueue(order(), HOUR), store.bury(report(send(store)), reason="refused")),
        lambda store, order: (store.enqueue(order(expires_at=store.now), HOUR), store.expire(10)),
        lambda store, _: store.client.hset(store.key("lane", "loc"), "brake_at", 1),
        lambda store, _: store.client.hset(store.key("lane", "loc"), "redundant", 1),
        lambda store, _: store.client.hset(store.key("lane", "loc"), "throttled_until", int(9e15)),
        lambda store, _: store.client.hset(store.key("lane", "loc"), "kept_until", "?"),
    ],
    ids=(
        *("pending", "held", "burst", "daily", "weight", "readable", "dead", "expired", "braked", "redundant"),
        *("throttled", "broken"),
    ),
)
def test_a_lane_that_is_needed_stays(
    store: ClockedStore, order: Orders, keep: Callable[[ClockedStore, Orders], object]
) -> None:
    deliver_one(store, order)
    keep(store, order)
    store.pass_time(3 * DAY)
    assert end_lanes(store) == []
    assert store.locations() == {"loc"}


def test_a_lane_stays_until_the_day_of_the_api_is_over(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), HOUR)
    job = send(store)
    limits = RateLimitInfo(daily=300_000, day_left=7, day_resets_in=2 * DAY)
    store.deliver(AttemptReport(job.id, job.attempt, "{}", LIMITS, limits), retention=HOUR)
    store.pass_time(2 * DAY - 60)
    assert end_lanes(store) == []
    store.pass_time(61)
    assert end_lanes(store) == ["loc"]


@pytest.mark.parametrize("limits", [RateLimitInfo(burst=1), RateLimitInfo(daily=1000)])
def test_a_lane_with_a_lower_limit_of_the_api_stays(store: ClockedStore, order: Orders, limits: RateLimitInfo) -> None:
    """A new lane would have the default limits, and its first requests would be answered by 429."""
    store.enqueue(order(), HOUR)
    job = send(store)
    store.deliver(AttemptReport(job.id, job.attempt, "{}", LIMITS, limits), retention=HOUR)
    store.pass_time(2 * DAY)
    expire_jobs(store)
    assert end_lanes(store) == []
    assert store.forget_lane("loc", "") == ("forgotten", 0)


def test_a_location_begins_again_after_all_numbers_it_ever_had(store: ClockedStore, order: Orders) -> None:
    client: Any = store.client
    deliver_one(store, order)
    client.hset(store.key("lane", "loc"), "seq", 7 * 10**12)  # the clock was set back
    store.pass_time(2 * DAY)
    expire_jobs(store)
    assert end_lanes(store) == ["loc"]
    store.enqueue_many([order(), order("other"), order()], HOUR)
    numbers = [int(client.hget(store.key("job", f"job{n}"), "seq")) for n in (2, 3, 4)]
    assert numbers == [7 * 10**12 + 1, 7 * 10**12 + 1, 7 * 10**12 + 2]
    client.hdel(store.key("ended_lanes"), "seq")
    client.set(store.key("ended_lanes"), "broken")
    store.enqueue(order("third"), HOUR)
    assert int(client.hget(store.key("job", "job5"), "seq")) == store.now * 1000 + 1


def test_what_makes_a_repeat_harmless_outlives_the_lane(store: ClockedStore, order: Orders) -> None:
    first = order(idempotency_key="order-1", fingerprint="f", event_time=store.now)
    store.enqueue(first, 30 * DAY)
    store.deliver(report(send(store)), retention=HOUR)
    store.pass_time(2 * DAY)
    store.client.delete(store.key("done", first.id))
    assert end_lanes(store) == ["loc"]
    again = store.enqueue(order(idempotency_key="order-1", fingerprint="f"), 30 * DAY)
    assert again == EnqueueResult(EnqueueStatus.FORGOTTEN, first.id)
    assert store.client.exists(store.key("event_times", "loc", "pipe/contact"))


def test_a_stored_token_stays(store: ClockedStore, order: Orders) -> None:
    deliver_one(store, order)
    CredentialStore(store).store_credential("loc", b"sealed")
    store.pass_time(2 * DAY)
    assert end_lanes(store) == ["loc"]
    assert CredentialStore(store).read("loc").encrypted == b"sealed"


def test_a_report_after_the_end_writes_nothing(store: ClockedStore, order: Orders) -> None:
    """The lease of a lost request ended, its job was cancelled and forgotten, and its lane ended."""
    store.enqueue(order(), HOUR)
    job = send(store)
    store.pass_time(HOUR)
    store.reclaim(10, 5)
    store.cancel(job.id, HOUR)
    store.pass_time(2 * DAY)
    expire_jobs(store)
    assert end_lanes(store) == ["loc"]
    assert store.deliver(report(job), retention=HOUR).code == "unknown"
    assert lane_keys(store, "loc") == set()
    assert list(check_consistency(store)) == []


def test_a_broken_lane_keeps_no_other(store: ClockedStore, order: Orders) -> None:
    for location in ("one", "two", "three"):
        deliver_one(store, order, location)
    store.client.hset(store.key("lane", "two"), "delivered", "?")
    store.pass_time(2 * DAY)
    assert end_lanes(store) == ["one", "three"]
    assert store.lanes()[0].counts["accepted"] == 1


def test_thousands_of_idle_lanes_leave_no_keys(store: ClockedStore, order: Orders) -> None:
    """Two workers end them, in steps, and neither waits for the other."""
    locations = [f"loc{n}" for n in range(3000)]
    store.enqueue_many([order(location) for location in locations], HOUR)
    for job in range(len(locations)):
        store.deliver(report(send(store, f"w{job % 8}")), retention=HOUR)
    expire_jobs(store)
    store.pass_time(2 * DAY)
    before, counts = store.client.dbsize(), store.counts()
    cursors, ended, calls = [0, 0], list[str](), 0
    while store.locations():
        cursors[calls % 2], some = store.end_idle_lanes(cursors[calls % 2], 100)
        assert len(some) <= 400
        ended, calls = ended + some, calls + 1
    assert (sorted(ended), store.counts()) == (sorted(locations), counts)
    assert before > 9000
    assert store.client.dbsize() < 20
    assert sum(store.counts()[name] for name in COUNTS if name != "accepted") == len(locations)
    assert store.release(make_consumer()).next is not None
