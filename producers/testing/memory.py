"""Lanes in memory, for tests: what `LaneStore` does for producers, and one worker that sends when it is told to.

Held against the real lanes by a test. Left out: leases, retries, budgets and holds, which a service does not see; how
long jobs and keys are remembered; and event times, except in merging.
"""

import heapq
import json
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lanes.enqueueing import DEFAULT_TERMS, Terms
from lanes.job import Attempt, Job, State
from lanes.order import Acceptance, Accepted, Order
from producers.testing.ending import Dead, Ending

# As in the lanes: no other upsert replaces these.
KEPT = frozenset(
    {"pipelineId", "locationId", "contactId", "id", "followers", "isRemoveAllFollowers", "followersActionType"}
)


Record = tuple[str, str]


@dataclass
class Entry:
    """A job, its place in the order of acceptance, its body as it was given, and the time of each field since."""

    job: Job
    place: int
    time: float
    given: dict[str, Any]
    times: dict[str, float] = field(default_factory=dict)
    carries: int = 0


class MemoryLanes:
    """Every job since the beginning, in the order of acceptance. Thread-safe; times in seconds since the epoch."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._records: dict[Record, list[Entry]] = defaultdict(list)  # those that wait, in order
        self._mortal: dict[str, Entry] = {}  # those that wait and expire
        self._keys: dict[tuple[str, str], tuple[str, str]] = {}
        self._ahead = 0.0

    @property
    def now(self) -> float:
        """The time that it is here."""
        return time.time() + self._ahead

    def pass_time(self, seconds: float) -> None:
        """Let time pass at once."""
        self._ahead += seconds

    def jobs(self) -> list[Job]:
        """Return every job."""
        with self._lock:
            return [self._shown(entry) for entry in self._entries.values()]

    def bodies(self) -> list[dict[str, Any]]:
        """Return what every job was given."""
        with self._lock:
            return [entry.given for entry in self._entries.values()]

    def job(self, job_id: str) -> Job | None:
        """Return a job, one that was merged with what became of its carrier."""
        with self._lock:
            self._expire()
            entry = self._entries.get(job_id)
            return None if entry is None else self._shown(entry)

    def _shown(self, entry: Entry) -> Job:
        carrier = self._entries.get(entry.job.merged_into or "")
        return entry.job if carrier is None else entry.job.carried_by(carrier.job)

    def enqueue(self, order: Order, idempotency_seconds: float, terms: Terms = DEFAULT_TERMS) -> Accepted:
        """Put a job into its lane, or find the one that the same id or idempotency key made; as safe as it gets."""
        del idempotency_seconds, terms
        with self._lock:
            self._expire()
            if order.id in self._entries:
                return Accepted(Acceptance.KNOWN, order.id)
            known = self._keys.get((order.location_id, order.idempotency_key or ""))
            if order.idempotency_key and known:
                same = known[1] == order.fingerprint
                return Accepted(Acceptance.KNOWN if same else Acceptance.CONFLICT, known[0])
            if order.idempotency_key:
                self._keys[order.location_id, order.idempotency_key] = (order.id, order.fingerprint)
            self._accept(order)
            return Accepted(Acceptance.ACCEPTED, order.id)

    def enqueue_many(
        self, orders: Sequence[Order], idempotency_seconds: float, terms: Terms = DEFAULT_TERMS
    ) -> list[Accepted | Exception]:
        """Put jobs into their lanes, one after the other."""
        return [self.enqueue(order, idempotency_seconds, terms) for order in orders]

    def cancel(self, job_id: str, retention: float) -> str:
        """Withdraw a pending job; return what `LaneStore.cancel` would."""
        del retention
        with self._lock:
            self._expire()
            entry = self._entries.get(job_id)
            if entry is None:
                return "unknown"
            if entry.job.state is not State.PENDING:
                return entry.job.state.value
            if entry.carries:
                return "carries"
            self._end(entry, State.CANCELLED)
            return "cancelled"

    def close(self) -> None:
        """There is nothing to give back."""

    def due(self) -> list[Job]:
        """Return the jobs that could be sent now, one after the other; of a location in the order of the lanes."""
        with self._lock:
            self._expire()
            heads: list[tuple[int, int, Job, list[Entry]]] = []
            for waiting in self._records.values():
                self._add_head(heads, waiting)
            found: list[Job] = []
            while heads:
                *_, job, behind = heapq.heappop(heads)
                found.append(job)
                self._add_head(heads, behind)
            return found

    def _add_head(self, heads: list[tuple[int, int, Job, list[Entry]]], waiting: list[Entry]) -> None:
        """Let the oldest job of a record stand among the heads, unless it is too early for it."""
        if waiting and (waiting[0].job.not_before or 0) <= self.now:
            first, *behind = waiting
            heapq.heappush(heads, (-first.job.priority, first.place, first.job, behind))

    def finish(self, job_id: str, ending: Ending) -> None:
        """End a pending job as if a worker had sent it.

        Raises:
            ValueError: it is not pending, or there is no such job.
        """
        with self._lock:
            self._expire()
            entry = self._entries.get(job_id)
            entry = self._entries.get(entry.job.merged_into or job_id) if entry else None
            if entry is None or entry.job.state is not State.PENDING:
                state = "unknown" if entry is None else entry.job.state.value
                message = f"job {job_id} cannot be ended: it is {state}, and no longer pending"
                raise ValueError(message)
            job, now = entry.job, self.now
            number = job.attempt + 1
            attempt = Attempt(number, ending.outcome, now, now, {**ending.detail(job.id), "seconds": 0.0})
            entry.job = replace(job, attempt=number, attempts=(*job.attempts, attempt))
            self._end(entry, ending.state, ending.reason.value if isinstance(ending, Dead) else None)

    def _end(self, entry: Entry, state: State, reason: str | None = None) -> None:
        waiting = self._records[_record(entry.job)]
        waiting.remove(entry)
        if not waiting:
            del self._records[_record(entry.job)]
        self._mortal.pop(entry.job.id, None)
        body = entry.job.body if state is State.DEAD else None
        entry.job = replace(entry.job, state=state, reason=reason, ended_at=self.now, body=body)

    def _expire(self) -> None:
        now = self.now
        for entry in [entry for entry in self._mortal.values() if (entry.job.expires_at or now + 1) <= now]:
            self._end(entry, State.EXPIRED)

    def _accept(self, order: Order) -> None:
        job = Job(
            id=order.id,
            location_id=order.location_id,
            record=order.record,
            state=State.PENDING,
            attempt=0,
            failures=0,
            accepted_at=self.now,
            ended_at=None,
            not_before=order.not_before,
            expires_at=order.expires_at,
            service=order.service,
            reason=None,
            priority=order.priority,
            merged_into=None,
            version=order.version,
            body=json.loads(order.body),
            attempts=(),
        )
        entry = Entry(job, len(self._entries), order.event_time or self.now, json.loads(order.body))
        carrier = self._carrier(order, entry) if order.merge else None
        self._entries[order.id] = entry
        if carrier is not None:
            self._merge(entry, carrier)
        else:
            self._records[_record(job)].append(entry)
            if job.expires_at is not None:
                self._mortal[job.id] = entry
        self._promote(job)

    def _promote(self, urgent: Job) -> None:
        """Let those that stand before a job, or carry it, be as urgent as it is."""
        if urgent.priority > 0:
            for entry in self._records[_record(urgent)]:
                entry.job = replace(entry.job, priority=max(entry.job.priority, urgent.priority))

    def _carrier(self, order: Order, newcomer: Entry) -> Entry | None:
        """Return the youngest job of the record, when it can still be joined."""
        waiting = self._records.get(_record(newcomer.job))
        if not waiting:
            return None
        youngest = waiting[-1]
        due_at = max(self.now, youngest.job.not_before or 0)
        fits = youngest.job.version == order.version and _pipeline(youngest.job) == _pipeline(newcomer.job)
        return youngest if fits and (order.not_before or 0) <= due_at else None

    def _merge(self, entry: Entry, carrier: Entry) -> None:
        """Let the newcomer be carried: of each field the value with the later time stands."""
        body: dict[str, Any] = dict(carrier.job.body or {})
        for name, value in (entry.job.body or {}).items():
            held = carrier.times.get(name, carrier.time) if name in body else 0.0
            if name not in KEPT and held <= entry.time:
                body[name], carrier.times[name] = value, entry.time
        ends = (carrier.job.expires_at, entry.job.expires_at)
        carrier.job = replace(
            carrier.job,
            body=body,
            expires_at=None if None in ends else max(end for end in ends if end is not None),
        )
        carrier.carries += 1
        entry.job = replace(
            entry.job,
            state=State.MERGED,
            merged_into=carrier.job.id,
            body=None,
            priority=0,
            not_before=None,
            expires_at=None,
        )


def _record(job: Job) -> Record:
    return job.location_id, job.record


def _pipeline(job: Job) -> object:
    return (job.body or {}).get("pipelineId")
