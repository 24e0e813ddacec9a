"""Unlimited workers in virtual time: they release every due job, and the test decides the answers."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from lanes.queue.new_job import NewJob
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits, RateLimitInfo
from tests.lanes.conftest import ClockedStore

LEASE = 30.0
LATENCY = 0.25
# What a call takes: no two come in the same microsecond.
TICK = 0.00001
# Far more than can be due at one time.
MAX_CALLS = 10_000

consumers = count()


def release_one(store: ClockedStore, limits: DefaultLimits) -> Released | Idle:
    """Release a job for a new consumer."""
    found = store.release(Consumer(f"consumer{next(consumers)}", LEASE, 3600, limits)).next
    assert found is not None
    return found


def release_job(store: ClockedStore, limits: DefaultLimits) -> Released:
    """Release a job where there must be one."""
    found = release_one(store, limits)
    assert isinstance(found, Released)
    return found


def release_due(store: ClockedStore, limits: DefaultLimits) -> list[Released]:
    """Release all that may go out now."""
    jobs: list[Released] = []
    while True:
        found = release_one(store, limits)
        if isinstance(found, Released):
            jobs.append(found)
        elif found.seconds is None or found.seconds > TICK:
            return jobs
        else:
            store.pass_time(TICK)


def idle_seconds(store: ClockedStore, limits: DefaultLimits) -> float:
    """Return how long nothing can be released."""
    found = release_one(store, limits)
    assert isinstance(found, Idle)
    assert found.seconds is not None
    return found.seconds


def deliver(
    store: ClockedStore, job: Released, limits: DefaultLimits, rate_limits: RateLimitInfo | None = None
) -> None:
    """Report that the API took a job."""
    assert (
        store.deliver(AttemptReport(job.id, job.attempt, "{}", limits, rate_limits), retention=3600).code == "delivered"
    )


def fill(store: ClockedStore, location: str, jobs: int, **options: object) -> None:
    """Put jobs of different records into a lane."""
    names = (f"{location}-{next(consumers)}" for _ in range(jobs))
    store.enqueue_many([NewJob(name, location, name, b"{}", **options) for name in names], 60)  # type: ignore[arg-type]


@dataclass
class SimulatedWorkers:
    """Runs events in the order of their times. `calls` counts the releases that were asked for."""

    store: ClockedStore
    limits: DefaultLimits
    answer: Callable[[AttemptReport, Released], None]
    sent: list[tuple[float, int, Released]] = field(default_factory=list)
    calls: int = 0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: "count[int]" = field(default_factory=count)
    _wakes_at: float = float("inf")

    def at(self, seconds: float, do: Callable[[], None]) -> None:
        """Let something happen at a time."""
        heapq.heappush(self._events, (seconds, next(self._order), do))

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.store.now + seconds
        self.at(self.store.now, lambda: None)
        while self._events and self._events[0][0] <= end:
            at, _, do = heapq.heappop(self._events)
            self.store.pass_time(max(0.0, at - self.store.now))
            do()
            self._release()

    def _release(self) -> None:
        last = self.calls + MAX_CALLS
        while True:
            self.calls += 1
            assert self.calls < last, "a lane is due and cannot go on"
            self.store.pass_time(TICK)
            job = release_one(self.store, self.limits)
            if isinstance(job, Released):
                self.sent.append((self.store.now, self.calls, job))
                report = AttemptReport(job.id, job.attempt, "{}", self.limits)
                self.at(self.store.now + LATENCY, lambda report=report, job=job: self.answer(report, job))  # type: ignore[misc]
            elif job.seconds != 0:
                self._sleep(job.seconds)
                return

    def _sleep(self, seconds: float | None) -> None:
        if seconds is None:
            return
        wakes_at = self.store.now + seconds
        if wakes_at < self._wakes_at or self._wakes_at <= self.store.now:
            self._wakes_at = wakes_at
            self.at(wakes_at, lambda: None)


def locations(jobs: Sequence[Released]) -> list[str]:
    """Return the lanes of these releases."""
    return [job.location_id for job in jobs]
