"""A worker that hangs for longer than its lease, and then goes on as if nothing had happened."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

from lanes.checks.consistency import check_consistency
from lanes.queue.job import State
from ops.embedded.stack import Stack
from ops.sandbox import SandboxControl
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until

LEASE = 2.0
UPDATES = 3
CONTACTS = 8


def test_a_worker_stopped_for_twice_its_lease(make_stack: Callable[..., Stack]) -> None:
    """Its jobs are taken back, another worker delivers them in order, and its own late reports change nothing."""
    stack = make_stack("--latency", "0.4-0.5", lease_seconds=LEASE, http_timeout_seconds=1, log_level="debug")
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    stopped = stack.start_worker("stopped")
    rows = [row("loc", f"c{contact}", monetaryValue=update) for update in range(UPDATES) for contact in range(CONTACTS)]
    ids = producer_of(stack).enqueue_many(rows).job_ids
    # What it has taken but not sent by then, it sends when it goes on.
    until(lambda: store.counts()["in_flight"] == CONTACTS == control.summary()["open"], "its requests at the API")
    os.killpg(stopped.pid, signal.SIGSTOP)
    stopped_at = store.time()
    held = {job.id for job in store.jobs(ids) if job and job.state is State.IN_FLIGHT}
    stack.start_worker("other")
    until(lambda: all_done(store) and store.time() > stopped_at + 2 * LEASE, "the other worker to deliver all")
    before, counts = control.requests(), store.counts()
    jobs = {job.id: job for job in store.jobs(ids) if job}
    os.killpg(stopped.pid, signal.SIGCONT)
    until(lambda: len(late_reports(stopped.output, held)) == len(held), "the late reports")
    more = producer_of(stack).enqueue_many([row("loc", f"c{contact}", monetaryValue=UPDATES) for contact in range(40)])
    until(lambda: all_done(store), "what came after")

    assert held
    assert counts["delivered"] == len(ids)
    assert counts["reclaimed"] >= len(held)
    assert {job.id: job for job in store.jobs(ids) if job} == jobs  # nothing that it said has changed a job
    assert store.counts()["accepted"] == store.counts()["delivered"] == len(ids) + len(more.job_ids)
    assert list(check_consistency(store)) == []
    # Each job was sent once, and those that the stopped worker had sent a second time.
    sent = Counter(map(upsert, before))
    repeated = {each for each, times in sent.items() if times == 2}
    assert set(sent.values()) == {1, 2}
    assert repeated <= {upsert({"body": body}) for job_id, body in zip(ids, rows, strict=True) if job_id in held}
    assert len(control.requests()) == len(before) + len(more.job_ids)
    for contact in range(CONTACTS):
        updates = [update for who, update in map(upsert, control.requests()) if who == f"c{contact}"]
        assert updates == sorted(updates)
    assert control.summary()["overlaps"] == []
    assert control.summary()["throttled"] == 0


def late_reports(output: str, job_ids: set[str]) -> set[str]:
    return {job_id for job_id in job_ids for line in output.splitlines() if "job_" in line and job_id in line}


def upsert(request: dict[str, Any]) -> tuple[str, int]:
    return request["body"]["contactId"], request["body"]["monetaryValue"]
