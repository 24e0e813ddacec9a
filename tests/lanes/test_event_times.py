"""What a service tells of the time of an event decides what overwrites what."""

import json

import pytest

from lanes.order import Order
from lanes.results import Released
from lanes.transitions import Report, Seat
from tests.lanes.conftest import ClockedStore
from tests.lanes.test_order_and_merging import LEASE, LIMITS
from tests.lanes.upserts import identity


@pytest.mark.parametrize("reverse", [False, True], ids=["in order", "backwards"])
@pytest.mark.parametrize("merge", [False, True], ids=["apart", "merged"])
def test_an_older_event_never_overwrites_a_newer_one(store: ClockedStore, merge: bool, reverse: bool) -> None:
    """However late it comes: before, while and after the newer one is sent."""
    events = [(n, {"status": f"s{n}"} if n % 2 else {"name": f"n{n}", "status": f"s{n}"}) for n in range(1, 7)]
    api: dict[str, object] = {}
    for number, (time, values) in enumerate(reversed(events) if reverse else events):
        body = json.dumps(identity("a") | values, separators=(",", ":")).encode()
        store.enqueue(Order(f"j{number}", "loc", "a", body, merge=merge, event_time=store.now - 100 + time), 3600)
        if number % 2:
            job = store.release(Seat("w", LEASE, 3600, LIMITS)).next
            while isinstance(job, Released):
                api |= json.loads(job.body)
                report = Report(job.id, job.attempt, "{}", LIMITS)
                job = store.deliver(report, retention=3600, take=Seat("w", LEASE, 3600, LIMITS)).next
    assert api == identity("a") | {"name": "n6", "status": "s6"}
    assert store.counts()["pending"] == 0


def test_what_is_held_past_its_time_still_counts(store: ClockedStore) -> None:
    """Its time does not run while it is held, so it will be sent, and must not be overwritten by an older event."""
    told(store, "newer", 200, expires_at=store.now + 10, status="newer")
    store.hold("loc", "a look at it", "somebody")
    store.pass_time(60)
    told(store, "older", 100, status="older", name="older")
    store.resume("loc")
    assert delivered(store) == identity("a") | {"status": "newer", "name": "older"}


def test_what_is_taken_back_does_not_take_along_what_an_earlier_event_said(store: ClockedStore) -> None:
    told(store, "first", 100, name="first")
    assert delivered(store)["name"] == "first"
    told(store, "taken back", 200, status="won")
    assert store.cancel("taken back", 3600) == "cancelled"
    told(store, "late", 50, name="late", status="late")
    assert delivered(store) == identity("a") | {"status": "late"}


def test_what_is_taken_back_overtakes_nothing_though_a_later_event_was_told(store: ClockedStore) -> None:
    told(store, "taken back", 200, name="taken back")
    told(store, "latest", 300, status="latest")
    assert store.cancel("taken back", 3600) == "cancelled"
    told(store, "late", 150, name="late")
    assert delivered(store) == identity("a") | {"status": "latest", "name": "late"}


def test_what_expires_overtakes_nothing_nor_what_was_merged_into_it(store: ClockedStore) -> None:
    told(store, "carrier", 100, expires_at=store.now + 10, name="carrier", monetaryValue=1)
    told(store, "carried", 200, expires_at=store.now + 10, merge=True, status="carried")
    store.pass_time(60)
    assert store.expire(10) == ["carrier"]
    told(store, "late", 50, name="late", status="late")
    assert delivered(store) == identity("a") | {"name": "late", "status": "late"}


def test_what_was_delivered_so_long_ago_that_it_is_forgotten_still_counts(store: ClockedStore) -> None:
    """A job may be read for less time than events are known. What has nothing left then goes out, and says nothing."""
    told(store, "newer", 200, status="newer")
    assert delivered(store)["status"] == "newer"
    store.client.delete(store.key("job", "newer"), store.key("attempts", "newer"))
    told(store, "older", 100, status="older", name="older")
    told(store, "oldest", 50, status="oldest", name="oldest")
    assert delivered(store) == identity("a") | {"name": "older"}
    assert store.counts()["pending"] == 0


def told(
    store: ClockedStore,
    job_id: str,
    time: float,
    *,
    merge: bool = False,
    expires_at: float | None = None,
    **values: object,
) -> None:
    """Let a service tell of an event."""
    body = json.dumps(identity("a") | values, separators=(",", ":")).encode()
    event_time = store.now // 1000 * 1000 - 1000 + time
    store.enqueue(Order(job_id, "loc", "a", body, merge=merge, expires_at=expires_at, event_time=event_time), 3600)


def delivered(store: ClockedStore) -> dict[str, object]:
    """Deliver all that is due; return what the API has of it, field by field."""
    api: dict[str, object] = {}
    seat = Seat("w", LEASE, 3600, LIMITS)
    job = store.release(seat).next
    while isinstance(job, Released):
        api |= json.loads(job.body)
        job = store.deliver(Report(job.id, job.attempt, "{}", LIMITS), retention=3600, take=seat).next
    return api
