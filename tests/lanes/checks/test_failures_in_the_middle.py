"""Scripts that fail in the middle: a stored value is broken, or Redis is full, between any two calls.

Whatever was written until then, the check repairs the rest: no accepted job is lost, counts add up, and the limit held.
"""

import random
from collections import defaultdict
from contextlib import suppress
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.errors import RedisUnavailableError, ScriptError
from lanes.queue.enqueueing import DurabilityPolicy
from lanes.queue.job import State
from lanes.queue.new_job import EnqueueResult, EnqueueStatus
from lanes.queue.results import Released, Result
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits
from lanes.storage.stored import text_of
from tests.lanes.checks.jobs_in_every_state import order, repair
from tests.lanes.conftest import ClockedStore

BURST = 3
LIMITS = DefaultLimits(burst=BURST, window=10, daily=1000)
LEASE, KEPT, KNOWN = 30, 36_000, 36_000
POLICY = DurabilityPolicy(seconds=KNOWN)  # then no enqueue makes a full Redis forget done jobs
STEPS = 70
LOCATIONS = ("a", "b", "c")
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"merge": True},
    {"priority": 2},
    {"idempotency_key": "k"},
    {"event_time": 1.0},
)
CALLS = ("enqueue", "release", "release", "report", "report", "report", "change", "wait")
OUTCOMES = ("deliver", "deliver", "retry", "throttle", "bury", "unauthorized", "requeue")
CHANGES = ("cancel", "replay", "purge", "hold", "resume", "reclaim", "expire")


class Traffic:
    """Services, workers and persons, in an order that a seed says."""

    def __init__(self, store: ClockedStore, seed: int) -> None:
        self.store, self.chance, self.made = store, random.Random(seed), 0
        self.accepted: dict[str, str] = {}
        self.sent: dict[str, Released] = {}
        self.charged: dict[str, dict[tuple[str, int], tuple[float, float]]] = defaultdict(dict)
        self.broken: set[str] = set()
        self.client: Any = store.client

    def step(self) -> None:
        """Make one call."""
        getattr(self, self.chance.choice(CALLS))()

    def enqueue(self) -> None:
        """Enqueue some jobs."""
        jobs = []
        for _ in range(self.chance.randint(1, 4)):
            self.made += 1
            options = self.chance.choice(OPTIONS)
            jobs.append(order(f"job{self.made}", self.chance.choice(LOCATIONS), self.chance.choice("xyz"), **options))
        for job, answer in zip(jobs, self.store.enqueue_many(jobs, KNOWN, POLICY), strict=True):
            if isinstance(answer, RedisUnavailableError):
                raise answer
            if isinstance(answer, EnqueueResult) and answer.status is EnqueueStatus.ACCEPTED:
                self.accepted[job.id] = job.location_id

    def release(self) -> None:
        """Let a worker take a job."""
        worker = self.chance.choice("uvw")
        if worker not in self.sent:
            self._take(worker, self.store.release(self._consumer(worker)))

    def _consumer(self, worker: str) -> Consumer:
        return Consumer(worker, LEASE, KEPT, LIMITS)

    def _take(self, worker: str, result: Result) -> None:
        if isinstance(job := result.next, Released):
            self.sent[worker] = job
            span = self.store.now, self.store.now + LEASE
            self.charged[job.location_id].setdefault((job.id, job.attempt), span)

    def report(self) -> None:
        """Report a request, and perhaps take the next job."""
        if not self.sent:
            return
        worker = self.chance.choice(sorted(self.sent))
        job = self.sent.pop(worker)
        requests, request = self.charged[job.location_id], (job.id, job.attempt)
        requests[request] = requests[request][0], self.store.now
        made = AttemptReport(job.id, job.attempt, "{}", LIMITS)
        then = self._consumer(worker) if self.chance.random() < 0.7 else None
        outcome = self.chance.choice(OUTCOMES)
        if outcome == "deliver":
            result = self.store.deliver(made, retention=KEPT, release_for=then)
        elif outcome == "retry":
            result = self.store.retry(made, delay=5, release_for=then)
        elif outcome == "throttle":
            result = self.store.throttle(made, wait=5, release_for=then)
        elif outcome == "requeue":
            result = self.store.requeue(made, wait=1, sent=True, release_for=then)
        elif outcome == "bury":
            result = self.store.bury(made, reason="refused", release_for=then)
        else:
            result = self.store.bury(made, reason="unauthorized", hold="why", release_for=then)
        self._take(worker, result)

    def change(self) -> None:
        """Do what a person does, or the housekeeping."""
        what, job = self.chance.choice(CHANGES), self.chance.choice(sorted(self.accepted) or [""])
        more: dict[str, tuple[object, ...]] = {
            "cancel": (job, KEPT),
            "replay": (job,),
            "purge": (job, KEPT),
            "hold": (self.chance.choice(LOCATIONS), "why", "ada"),
            "resume": (self.chance.choice(LOCATIONS),),
            "reclaim": (100, 5),
            "expire": (100,),
        }
        getattr(self.store, what)(*more[what])

    def wait(self) -> None:
        """Let time pass."""
        self.client.config_set("maxmemory", 0)
        self.store.pass_time(self.chance.choice((0.5, 3, 11, 31)))

    def break_one(self) -> None:
        """Replace a key by one of another type, or a field by junk. A body is in no other place: it stays."""
        names = sorted(map(text_of, self.client.keys("test:*")))
        name = self.chance.choice(names)
        kind = text_of(self.client.type(name))
        if name.split(":")[1] in ("schema", "test-clock", "body"):
            return
        self.broken.update(name.split(":"))
        if kind == "hash" and self.chance.random() < 0.5:
            self.client.hset(name, self.chance.choice(sorted(self.client.hkeys(name))), "junk")
            return
        self.client.delete(name)
        if kind == "string":
            self.client.rpush(name, "junk")
        else:
            self.client.set(name, "junk")

    def finish(self) -> None:
        """Deliver all that is left."""
        for location in LOCATIONS:
            self.store.resume(location)
        for turn in range(60):
            self.store.reclaim(100, 99)
            for number in range(30):
                job = self.store.release(self._consumer(f"{turn}-{number}")).next
                if not isinstance(job, Released):
                    break
                self.store.deliver(AttemptReport(job.id, job.attempt, "{}", LIMITS), retention=KEPT)
            counts = self.store.counts()
            if counts["pending"] == counts["in_flight"] == 0:
                return
            self.store.pass_time(6)

    def check(self) -> None:
        """Check what must hold after all."""
        assert findings(self.store) == []
        found = {job_id: self.store.job(job_id) for job_id in self.accepted if job_id not in self.broken}
        assert {job_id: job and job.state for job_id, job in found.items() if not (job and is_over(job.state))} == {}
        for location, requests in self.charged.items():
            spans = requests.values() if location not in self.broken else ()
            for begin in {end for _, end in spans}:
                within = sum(1 for at, end in spans if at < begin + LIMITS.window and end >= begin)
                assert within <= BURST, (location, begin)


def is_over(state: State) -> bool:
    return state not in (State.PENDING, State.IN_FLIGHT)


def dump(client: Any) -> dict[bytes, bytes]:
    """Return all keys but one that expires within milliseconds."""
    return {name: client.dump(name) for name in client.keys("*") if name != b"test:memory_checked"}


def findings(store: ClockedStore) -> list[str]:
    return [str(finding) for finding in check_consistency(store) if finding.severity == "error" or finding.repair]


@pytest.mark.parametrize("seed", range(6))
def test_broken_values(store: ClockedStore, seed: int) -> None:
    traffic = Traffic(store, seed)
    for _ in range(STEPS):
        with suppress(ScriptError):
            traffic.step()
        store.pass_time(0.001)
        if traffic.chance.random() < 0.05:
            traffic.break_one()
    assert traffic.broken
    repair(store)
    traffic.finish()
    traffic.check()


@pytest.mark.parametrize("seed", range(4))
def test_a_full_redis(store: ClockedStore, seed: int) -> None:
    """A call is done whole, or refused and changes nothing."""
    traffic, refused = Traffic(store, seed), 0
    for _ in range(STEPS):
        is_full = traffic.chance.random() < 0.6
        before = dump(traffic.client)
        store.client.config_set("maxmemory", int(is_full))
        try:
            with suppress(ScriptError):
                traffic.step()
        except RedisUnavailableError:
            refused += 1
            assert dump(traffic.client) == before
        finally:
            store.client.config_set("maxmemory", 0)
        store.pass_time(0.001)
        assert findings(store) == []
    traffic.finish()
    traffic.check()
    assert refused
