"""Event times decide which update overwrites which."""

import json

import pytest

from lanes.queue.new_job import NewJob
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport, Consumer
from tests.lanes.conftest import ClockedStore
from tests.lanes.queue.test_order_and_merging import LEASE, LIMITS
from tests.lanes.queue.upserts import identity


@pytest.mark.parametrize("reverse", [False, True], ids=["in order", "backwards"])
@pytest.mark.parametrize("merge", [False, True], ids=["apart", "merged"])
def test_an_older_event_never_overwrites_a_newer_one(store: ClockedStore, merge: bool, reverse: bool) -> None:
    """However late it comes: before, while and after the newer one is sent."""
    events = [(n, {"status": f"s{n}"} if n % 2 else {"name": f"n{n}", "status": f"s{n}"}) for n in range(1, 7)]
    api: dict[str, object] = {}
    for number, (time, values) in enumerate(reversed(events) if reverse else events):
        body = json.dumps(identity("a") | values, separators=(",", ":")).encode()
        store.enqueue(NewJob(f"j{number}", "loc", "a", body, merge=merge, event_time=store.now - 100 + time), 3600)
        if number % 2:
            job = store.release(Consumer("w", LEASE, 3600, LIMITS)).next
            while isinstance(job, Released):
                api |= json.loads(job.body)
                report = AttemptReport(job.id, job.attempt, "{}", LIMITS)
                job = store.deliver(report, retention=3600, release_for=Consumer("w", LEASE, 3600, LIMITS)).next
    assert api == identity("a") | {"name": "n6", "status": "s6"}
    assert store.counts()["pending"] == 0


def test_an_event_held_past_its_expiry_still_counts(store: ClockedStore) -> None:
    """Its time does not run while it is held, so it will be sent, and must not be overwritten by an older event."""
    enqueue_event(store, "newer", 200, expires_at=store.now + 10, status="newer")
    store.hold("loc", "a look at it", "ada")
    store.pass_time(60)
    enqueue_event(store, "older", 100, status="older", name="older")
    store.resume("loc")
    assert delivered(store) == identity("a") | {"status": "newer", "name": "older"}


def test_cancelling_a_job_keeps_the_fields_of_an_earlier_event(store: ClockedStore) -> None:
    enqueue_event(store, "first", 100, name="first")
    assert delivered(store)["name"] == "first"
    enqueue_event(store, "taken back", 200, status="won")
    assert store.cancel("taken back", 3600) == "cancelled"
    enqueue_event(store, "late", 50, name="late", status="late")
    assert delivered(store) == identity("a") | {"status": "late"}


def test_a_cancelled_job_makes_no_event_stale_even_if_a_later_one_was_reported(store: ClockedStore) -> None:
    enqueue_event(store, "taken back", 200, name="taken back")
    enqueue_event(store, "latest", 300, status="latest")
    assert store.cancel("taken back", 3600) == "cancelled"
    enqueue_event(store, "late", 150, name="late")
    assert delivered(store) == identity("a") | {"status": "latest", "name": "late"}


def test_an_expired_job_and_those_merged_into_it_make_no_event_stale(store: ClockedStore) -> None:
    enqueue_event(store, "target", 100, expires_at=store.now + 10, name="target", monetaryValue=1)
    enqueue_event(store, "merged", 200, expires_at=store.now + 10, merge=True, status="merged")
    store.pass_time(60)
    assert store.expire(10) == ["target"]
    enqueue_event(store, "late", 50, name="late", status="late")
    assert delivered(store) == identity("a") | {"name": "late", "status": "late"}


def test_an_event_delivered_long_ago_still_counts(store: ClockedStore) -> None:
    """A job may be read for less time than events are known. What has nothing left then goes out, and says nothing."""
    enqueue_event(store, "newer", 200, status="newer")
    assert delivered(store)["status"] == "newer"
    store.client.delete(store.key("job", "newer"), store.key("attempts", "newer"))
    enqueue_event(store, "older", 100, status="older", name="older")
    enqueue_event(store, "oldest", 50, status="oldest", name="oldest")
    assert delivered(store) == identity("a") | {"name": "older"}
    assert store.counts()["pending"] == 0


def enqueue_event(
    store: ClockedStore,
    job_id: str,
    time: float,
    *,
    merge: bool = False,
    expires_at: float | None = None,
    **values: object,
) -> None:
    """Enqueue an event of a service."""
    body = json.dumps(identity("a") | values, separators=(",", ":")).encode()
    event_time = store.now // 1000 * 1000 - 1000 + time
    store.enqueue(NewJob(job_id, "loc", "a", body, merge=merge, expires_at=expires_at, event_time=event_time), 3600)


def delivered(store: ClockedStore) -> dict[str, object]:
    """Deliver all that is due; return what the API has of it, field by field."""
    api: dict[str, object] = {}
    consumer = Consumer("w", LEASE, 3600, LIMITS)
    job = store.release(consumer).next
    while isinstance(job, Released):
        api |= json.loads(job.body)
        job = store.deliver(AttemptReport(job.id, job.attempt, "{}", LIMITS), retention=3600, release_for=consumer).next
    return api
