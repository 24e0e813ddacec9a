"""Lanes in memory, for tests: the methods of `LaneStore` for producers, and a worker that sends on request.

A test compares it with the real lanes. Left out: leases, retries, rate limits and holds, which a service does not see;
all quotas but `max_pending`; the retention of jobs and keys; event times, except for merging.
"""

import heapq
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lanes.errors import OverQuotaError
from lanes.queue.enqueueing import DEFAULT_DURABILITY_POLICY, DurabilityPolicy
from lanes.queue.job import Attempt, Job, State
from lanes.queue.new_job import EnqueueResult, EnqueueStatus, NewJob
from lanes.versions import NEVER_MERGED_FIELDS
from producers.testing.ending import Dead, Ending

Record = tuple[str, str]
RETRY_SECONDS = 5.0  # as in the real lanes, for `max_pending`


@dataclass
class MemoryJob:
    """A job, its position in the order of acceptance, its original body, and the time of each merged field."""

    job: Job
    position: int
    time: float
    first_body: dict[str, Any]
    times: dict[str, float] = field(default_factory=dict)
    merged_count: int = 0


class MemoryLanes:
    """Every job, in the order of acceptance. Thread-safe; times in seconds since the epoch."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._entries: dict[str, MemoryJob] = {}
        self._records: dict[Record, list[MemoryJob]] = defaultdict(list)  # the pending jobs, in order
        self._expiring: dict[str, MemoryJob] = {}  # the pending jobs that can expire
        self._keys: dict[tuple[str, str], tuple[str, str]] = {}
        self._clock_offset = 0.0
        self.max_pending: int | None = None  # pending jobs of a service, None for any number

    @property
    def now(self) -> float:
        """The current time."""
        return time.time() + self._clock_offset

    def pass_time(self, seconds: float) -> None:
        """Advance the clock."""
        self._clock_offset += seconds

    def jobs(self) -> list[Job]:
        """Return every job."""
        with self._lock:
            return [self._shown(entry) for entry in self._entries.values()]

    def bodies(self) -> list[dict[str, Any]]:
        """Return the original body of every job."""
        with self._lock:
            return [entry.first_body for entry in self._entries.values()]

    def job(self, job_id: str) -> Job | None:
        """Return a job; a merged one has the outcome of its merge target."""
        with self._lock:
            self._expire()
            entry = self._entries.get(job_id)
            return None if entry is None else self._shown(entry)

    def _shown(self, entry: MemoryJob) -> Job:
        merge_target = self._entries.get(entry.job.merged_into or "")
        return entry.job if merge_target is None else entry.job.with_outcome_of(merge_target.job)

    def enqueue(
        self,
        new_job: NewJob,
        idempotency_seconds: float,
        durability_policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
    ) -> EnqueueResult:
        """Enqueue a job, or return the one with the same id or idempotency key. Every durability is met.

        Raises:
            OverQuotaError: its service has `max_pending` pending jobs.
        """
        (result,) = self.enqueue_many([new_job], idempotency_seconds, durability_policy)
        if isinstance(result, Exception):
            raise result
        return result

    def enqueue_many(
        self,
        new_jobs: Sequence[NewJob],
        idempotency_seconds: float,
        durability_policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
    ) -> list[EnqueueResult | Exception]:
        """Enqueue jobs in order. Once one is over a quota, all later ones are refused."""
        del idempotency_seconds, durability_policy
        results: list[EnqueueResult | Exception] = []
        refusal: OverQuotaError | None = None
        with self._lock:
            self._expire()
            for new_job in new_jobs:
                if (known := self._known(new_job)) is not None:
                    results.append(known)
                elif (refusal := refusal or self._over_quota(new_job)) is not None:
                    results.append(refusal)
                else:
                    self._accept(new_job)
                    results.append(EnqueueResult(EnqueueStatus.ACCEPTED, new_job.id))
        return results

    def _known(self, new_job: NewJob) -> EnqueueResult | None:
        if new_job.id in self._entries:
            return EnqueueResult(EnqueueStatus.KNOWN, new_job.id)
        known = self._keys.get((new_job.location_id, new_job.idempotency_key or ""))
        if not new_job.idempotency_key or known is None:
            return None
        same = known[1] == new_job.fingerprint
        return EnqueueResult(EnqueueStatus.KNOWN if same else EnqueueStatus.CONFLICT, known[0])

    def enqueue_calls(
        self,
        calls: Iterable[Sequence[NewJob]],
        idempotency_seconds: float,
        durability_policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
        bulk: str = "",
    ) -> list[EnqueueResult | Exception]:
        """Enqueue the jobs of each call, in order."""
        del bulk  # a job that was refused ends the call
        return self.enqueue_many(
            [new_job for call in calls for new_job in call], idempotency_seconds, durability_policy
        )

    def _over_quota(self, new_job: NewJob) -> OverQuotaError | None:
        if self.max_pending is None:
            return None
        jobs = (entry.job for entry in self._entries.values())
        pending = sum(job.state is State.PENDING and job.service == new_job.service for job in jobs)
        if pending >= self.max_pending:
            return OverQuotaError(new_job.service or "", "max_pending", self.max_pending, RETRY_SECONDS)
        return None

    def cancel(self, job_id: str, retention: float) -> str:
        """Cancel a pending job; return the same answers as `LaneStore.cancel`."""
        del retention
        with self._lock:
            self._expire()
            entry = self._entries.get(job_id)
            if entry is None:
                return "unknown"
            if entry.job.state is not State.PENDING:
                return entry.job.state.value
            if entry.merged_count:
                return "has_merged_jobs"
            self._end(entry, State.CANCELLED)
            return "cancelled"

    def read(self, ask: Callable[[Any], Any]) -> Any:
        """There is no Redis to ask.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError

    def info(self) -> dict[str, Any]:
        """There is no server to ask."""
        return {}

    def close(self) -> None:
        """Nothing to close."""

    def due(self) -> list[Job]:
        """Return the jobs that can be sent now, in the order in which a worker would send them."""
        with self._lock:
            self._expire()
            active: list[tuple[int, int, Job, list[MemoryJob]]] = []
            for waiting in self._records.values():
                self._add_active(active, waiting)
            found: list[Job] = []
            while active:
                *_, job, blocked = heapq.heappop(active)
                found.append(job)
                self._add_active(active, blocked)
            return found

    def _add_active(self, active: list[tuple[int, int, Job, list[MemoryJob]]], waiting: list[MemoryJob]) -> None:
        """Add the oldest job of a record, unless its `not_before` is later."""
        if waiting and (waiting[0].job.not_before or 0) <= self.now:
            first, *blocked = waiting
            heapq.heappush(active, (-first.job.priority, first.position, first.job, blocked))

    def finish(self, job_id: str, ending: Ending) -> None:
        """End a pending job as if a worker had sent it.

        Raises:
            ValueError: the job is not pending or does not exist.
        """
        with self._lock:
            self._expire()
            entry = self._entries.get(job_id)
            entry = self._entries.get(entry.job.merged_into or job_id) if entry else None
            if entry is None or entry.job.state is not State.PENDING:
                state = "unknown" if entry is None else entry.job.state.value
                raise ValueError(f"job {job_id} cannot be ended: it must be pending (it is {state})")
            job, now = entry.job, self.now
            number = job.attempt + 1
            attempt = Attempt(number, ending.outcome, now, now, {**ending.detail(job.id), "seconds": 0.0})
            entry.job = replace(job, attempt=number, attempts=(*job.attempts, attempt))
            self._end(entry, ending.state, ending.reason.value if isinstance(ending, Dead) else None)

    def _end(self, entry: MemoryJob, state: State, reason: str | None = None) -> None:
        waiting = self._records[_record(entry.job)]
        waiting.remove(entry)
        if not waiting:
            del self._records[_record(entry.job)]
        self._expiring.pop(entry.job.id, None)
        body = entry.job.body if state is State.DEAD else None
        entry.job = replace(entry.job, state=state, reason=reason, ended_at=self.now, body=body)

    def _expire(self) -> None:
        now = self.now
        for entry in [entry for entry in self._expiring.values() if (entry.job.expires_at or now + 1) <= now]:
            self._end(entry, State.EXPIRED)

    def _accept(self, new_job: NewJob) -> None:
        if new_job.idempotency_key:
            self._keys[new_job.location_id, new_job.idempotency_key] = (new_job.id, new_job.fingerprint)
        job = Job(
            id=new_job.id,
            location_id=new_job.location_id,
            record=new_job.record,
            state=State.PENDING,
            attempt=0,
            failures=0,
            accepted_at=self.now,
            ended_at=None,
            not_before=new_job.not_before,
            expires_at=new_job.expires_at,
            service=new_job.service,
            reason=None,
            priority=new_job.priority,
            merged_into=None,
            version=new_job.version,
            body=json.loads(new_job.body),
            attempts=(),
        )
        entry = MemoryJob(job, len(self._entries), new_job.event_time or self.now, json.loads(new_job.body))
        merge_target = self._merge_target(new_job, entry) if new_job.merge else None
        self._entries[new_job.id] = entry
        if merge_target is not None:
            self._merge(entry, merge_target)
        else:
            self._records[_record(job)].append(entry)
            if job.expires_at is not None:
                self._expiring[job.id] = entry
        self._promote(job)

    def _promote(self, urgent: Job) -> None:
        """Raise the priority of the jobs that block a job, or that it was merged into, to its own."""
        if urgent.priority > 0:
            for entry in self._records[_record(urgent)]:
                entry.job = replace(entry.job, priority=max(entry.job.priority, urgent.priority))

    def _merge_target(self, new_job: NewJob, new: MemoryJob) -> MemoryJob | None:
        """Return the newest job of the record, if the new job can be merged into it."""
        waiting = self._records.get(_record(new.job))
        if not waiting:
            return None
        newest = waiting[-1]
        due_at = max(self.now, newest.job.not_before or 0)
        fits = newest.job.version == new_job.version and _pipeline(newest.job) == _pipeline(new.job)
        return newest if fits and (new_job.not_before or 0) <= due_at else None

    def _merge(self, entry: MemoryJob, merge_target: MemoryJob) -> None:
        """Merge a new job: of each field the value with the later time is sent."""
        body: dict[str, Any] = dict(merge_target.job.body or {})
        for name, value in (entry.job.body or {}).items():
            held = merge_target.times.get(name, merge_target.time) if name in body else 0.0
            if name not in NEVER_MERGED_FIELDS and held <= entry.time:
                body[name], merge_target.times[name] = value, entry.time
        ends = (merge_target.job.expires_at, entry.job.expires_at)
        latest = None if None in ends else max(end for end in ends if end is not None)
        merge_target.job = replace(merge_target.job, body=body, expires_at=latest)
        merge_target.merged_count += 1
        merged = replace(entry.job, state=State.MERGED, merged_into=merge_target.job.id, body=None)
        entry.job = replace(merged, priority=0, not_before=None, expires_at=None)


def _record(job: Job) -> Record:
    return job.location_id, job.record


def _pipeline(job: Job) -> object:
    return (job.body or {}).get("pipelineId")
