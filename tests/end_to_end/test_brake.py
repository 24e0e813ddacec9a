"""A location that is refused as a whole, with 128 requests in flight: it loses few jobs, and the others none."""

from collections.abc import Callable

import pytest

from lanes.checks.consistency import check_consistency
from ops.embedded.stack import Stack
from ops.sandbox import SandboxControl
from ops.sandbox.faults import Fault, FaultKind
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until

OTHERS = [f"loc-{number}" for number in range(4)]
JOBS, OF_OTHERS = 300, 40
MOST_DEAD = 60
PROBES = 6
# All that the location has may be out at once: its window does not bound it.
SETTINGS = {"shift_threads": 128, "burst_limit": 1000, "outage_probe_seconds": 0.5, "outage_probe_max_seconds": 2}
WORKER = ("--concurrency", "2")
REFUSALS = {
    "forbidden": (403, "Forbidden resource"),
    "no such route": (404, "Cannot POST /opportunities/upsert"),
    "every body": (422, ["property name should not exist", "followers must be an array"]),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_location_that_is_refused_as_a_whole_keeps_its_backlog(make_stack: Callable[..., Stack], kind: str) -> None:
    stack = make_stack("--latency", "0.4", "--burst-limit", "1000", **SETTINGS)
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    producer = producer_of(stack)
    status, message = REFUSALS[kind]
    control.inject(Fault(kind=FaultKind.STATUS, status=status, message=message, location="refused"))
    # Two jobs a contact: the order within a record is seen, too.
    ids = producer.enqueue_many(row("refused", f"contact-{n // 2}", name=str(n)) for n in range(JOBS)).job_ids
    stack.start_worker("one", *WORKER)
    producer.enqueue_many(row(OTHERS[n % 4], f"contact-{n}") for n in range(4 * OF_OTHERS))
    until(lambda: store.counts()["delivered"] == 4 * OF_OTHERS, "the others delivered")
    until(lambda: all(lane.counts["in_flight"] <= 1 for lane in store.lanes()), "single probes")
    before = len(control.requests("refused"))
    until(
        lambda: store.counts()["dead"] >= MOST_DEAD or len(control.requests("refused")) >= before + PROBES,
        "probes of the location",
    )
    lanes = {lane.location_id: lane for lane in store.lanes()}
    assert lanes["refused"].counts["dead"] < MOST_DEAD
    assert all(lanes[name].counts["delivered"] == OF_OTHERS and lanes[name].counts["dead"] == 0 for name in OTHERS)
    control.clear_faults()
    until(lambda: all_done(store), "the rest delivered, without a person")
    counts = {lane.location_id: lane.counts for lane in store.lanes()}["refused"]
    assert counts["delivered"] + counts["dead"] == JOBS
    assert counts["dead"] < MOST_DEAD
    jobs = [job for job in store.jobs(ids) if job is not None]
    ends = {job.id: job.ended_at or 0.0 for job in jobs}
    assert all(ends[ids[n]] <= ends[ids[n + 1]] for n in range(0, JOBS, 2)), "in order within each record"
    assert list(check_consistency(store)) == []
