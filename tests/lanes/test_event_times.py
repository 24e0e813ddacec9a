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
