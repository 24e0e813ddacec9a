"""Jobs of every ending, while workers, Redis and the consumer are killed: every end's outcome reaches the consumer.

OUTCOME_JOBS is the number of jobs.
"""

import json
import os
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.outcomes.outcome import Outcome, read_entries
from lanes.queue.job import Job, State
from lanes.queue.store import LaneStore
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from ops.embedded.processes import Child
from ops.embedded.stack import Stack
from ops.sandbox import Fault, FaultKind, SandboxControl
from producers import OpportunityProducer
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until

JOBS = int(os.environ.get("OUTCOME_JOBS", "360"))
KILLS = 2
MERGED = 620  # into one job: more than a script writes the outcomes of
LOCATIONS = [f"loc-{number}" for number in range(JOBS // 60)]
SETTINGS = {
    "service": "crm",
    "lease_seconds": 4,
    "http_timeout_seconds": 3,
    "refusal_brake": 0,
    "outage_failures": 10_000,
    "max_attempts": 4,
    "backoff_base_seconds": 0.05,
    "backoff_max_seconds": 0.2,
    "enqueue_timeout_seconds": 60,
}
FAULTS = (
    Fault(kind=FaultKind.STATUS, status=400, message="no such stage", contact_prefix="bad"),
    Fault(kind=FaultKind.STATUS, status=500, message="it is down", contact_prefix="down"),
    Fault(kind=FaultKind.RESET, contact_prefix="flaky", first=1),
)
# What happens to the jobs of a contact, and how many of sixty are of this kind.
KINDS = {"ok": 24, "flaky": 6, "merged": 12, "bad": 9, "down": 1, "expired": 4, "cancelled": 4}


def enqueue_all(producer: OpportunityProducer) -> dict[str, str]:
    """Enqueue jobs of every kind; return the kind of each job."""
    kinds: dict[str, str] = {}
    soon = datetime.now(UTC) + timedelta(seconds=5)
    many = [row(LOCATIONS[0], "merged", name=str(number)) for number in range(MERGED)]
    kinds |= dict.fromkeys(producer.enqueue_many(many, merge=True).job_ids, "merged")
    for location in LOCATIONS:
        for kind, count in KINDS.items():
            rows: list[dict[str, Any]] = [
                row(location, kind if kind == "merged" else f"{kind}-{number}", name=str(number))
                for number in range(count)
            ]
            options: dict[str, Any] = {"merge": kind == "merged"}
            if kind in ("expired", "cancelled"):
                rows = [
                    {**each, "locationId": "held"} | {"contactId": f"{location}-{each['contactId']}"} for each in rows
                ]
            if kind == "expired":
                options |= {"expires_at": soon, "expires_while_held": True}
            kinds |= dict.fromkeys(producer.enqueue_many(rows, **options).job_ids, kind)
    return kinds


class Consumer:
    """The consumer, which is killed and started again, and what it has written."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._file = stack, stack.folder / "outcomes.jsonl"
        self._child: Child | None = None

    def start(self) -> None:
        """Start it, after killing it."""
        if self._child is not None:
            self._child.kill()
        script = Path(__file__).with_name("outcome_consumer.py")
        command = [sys.executable, str(script), str(self._file)]
        environ = {**self._stack.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        log = self._stack.folder / "consumer.log"
        self._child = Child("consumer", command, log, environ=environ, folder=self._stack.folder)
        self._stack.children.append(self._child)

    def seen(self) -> Iterator[dict[str, Any]]:
        """Yield the outcomes that it has written."""
        for line in self._file.read_bytes().splitlines() if self._file.exists() else ():
            try:
                yield json.loads(line)
            except ValueError:  # it was killed in the middle
                continue

    def ends(self) -> dict[tuple[str, int], dict[str, Any]]:
        """Return one outcome for each end; its repeats must be equal."""
        ends: dict[tuple[str, int], dict[str, Any]] = {}
        for each in self.seen():
            assert ends.setdefault((each["job_id"], each["end"]), each) == each
        return ends


def written(store: LaneStore) -> list[Outcome]:
    """Return every outcome in the stream."""
    client: Any = store.client
    found = client.xrange(store.key("outcomes", "crm"))
    return [outcome for entry in read_entries("crm", found) for outcome in entry.outcomes]


def kill_at_random(stack: Stack, consumer: Consumer, store: LaneStore) -> None:
    """Kill a worker, the consumer and, once, Redis, at random moments, and start them again."""
    chance = random.Random(11)
    for number in range(KILLS):
        worker = stack.start_worker(f"worker-{number}")
        for _ in range(2):
            time.sleep(chance.uniform(0.1, 0.6))
            consumer.start()
        worker.kill()
        stack.children.remove(worker)
        if number == 0:
            stack.redis.kill()
            stack.redis.start()
    stack.start_worker("last")
    until(lambda: all_done(store), "every job has ended")


@pytest.mark.slow
def test_every_end_reaches_the_consumer(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--latency", "0.02-0.1", **SETTINGS)
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    for fault in FAULTS:
        control.inject(fault)
    ServiceStore(store).add(Service("crm"))
    store.hold("held", "a test", "test")
    producer, consumer = producer_of(stack), Consumer(stack)
    kinds = enqueue_all(producer)
    consumer.start()
    for job_id, kind in kinds.items():
        if kind == "cancelled":
            assert producer.cancel(job_id)
    kill_at_random(stack, consumer, store)
    purged = [job_id for job_id, kind in kinds.items() if kind == "bad"][::2]
    assert {store.purge(job_id, 10**6) for job_id in purged} == {"purged"}
    told = {(outcome.job_id, outcome.end): outcome.as_json() for outcome in written(store)}
    assert len(told) == len(written(store))  # one for each end
    until(lambda: len(consumer.ends()) == len(told), "every outcome is read")
    assert consumer.ends() == told
    check_each_job(kinds, purged, told, store, control)
    assert list(check_consistency(store)) == []
    stack.start_worker("trims", LANES_MAX_OUTCOMES="1")
    until(lambda: store.client.xlen(store.key("outcomes", "crm")) <= 1, "the stream to be trimmed")


def check_each_job(
    kinds: dict[str, str],
    purged: Sequence[str],
    told: dict[tuple[str, int], dict[str, Any]],
    store: LaneStore,
    control: SandboxControl,
) -> None:
    """Compare the outcomes of each job with its state, with its kind, and with the account of the sandbox."""
    by_job: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (job_id, _), outcome in sorted(told.items()):
        by_job[job_id].append(outcome)
    assert by_job.keys() == kinds.keys()
    opportunities = {(each["locationId"], each["contactId"]): each["id"] for each in control.records()}
    statuses: dict[tuple[str, str], set[int | None]] = defaultdict(set)
    for request in control.requests():
        statuses[request["location_id"], request["contact_id"]].add(request["status"])
    states: Counter[tuple[str, str]] = Counter()
    for job in filter(None, store.jobs(list(kinds))):
        outcomes, kind = by_job[job.id], kinds[job.id]
        assert [each["end"] for each in outcomes] == list(range(1, len(outcomes) + 1))
        check_last(job, outcomes[-1])
        assert [each["state"] for each in outcomes[:-1]] == (["dead"] if job.id in purged else [])
        pair = job.location_id, job.record.split("/")[1]
        first, states[kind, outcomes[0]["state"]] = outcomes[0], states[kind, outcomes[0]["state"]] + 1
        if first["state"] == "delivered":
            assert first["opportunity_id"] == opportunities[pair]
        if first["status"] is not None:
            assert first["status"] in statuses[pair]
        if kind == "bad":
            assert (first["reason"], first["status"], first["message"]) == ("refused", 400, "no such stage")
    expected = {"bad": "dead", "down": "dead", "expired": "expired", "cancelled": "cancelled"}
    assert set(states) >= {(kind, expected.get(kind, "delivered")) for kind in KINDS}
    for kind, state in expected.items():
        assert states[kind, state] == KINDS[kind] * len(LOCATIONS)


def check_last(job: Job, last: dict[str, Any]) -> None:
    """The last outcome of a job is its state."""
    assert (last["state"], last["reason"], last["message"]) == (job.state, job.reason, job.message)
    assert (last["accepted_at"], last["ended_at"]) == (job.accepted_at, job.ended_at)
    if job.state is State.DELIVERED:
        assert (last["opportunity_id"], last["new"]) == (job.opportunity_id, job.new)
