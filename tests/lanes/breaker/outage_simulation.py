"""Workers and an API that is down for a while, in virtual time, around the real scripts on a real Redis."""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from lanes.queue.new_job import NewJob
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, BreakerPolicy, Consumer, DefaultLimits, RateLimitInfo, RetryPolicy
from tests.lanes.conftest import ClockedStore
from worker.delivery.backoff import Backoff

LIMITS = DefaultLimits(burst=100, window=10, daily=200_000)
BREAKER_POLICY = BreakerPolicy(failures=20, locations=3, gap=1, max_gap=60)
RETRY_POLICY = RetryPolicy(max_attempts=12, max_age=86_400)
CONSUMERS = 64
LEASE = 45.0


@dataclass(frozen=True)
class Request:
    """One request as the API saw it; `at` in virtual seconds."""

    at: float
    location: str
    failed: bool


class OutageSimulation:
    """Runs events in the order of their times. `fails` says of a location and a time whether a request fails."""

    def __init__(self, store: ClockedStore, fails: Callable[[str, float], bool], seed: int = 1) -> None:
        self.requests: list[Request] = []
        self.fails = fails
        self._store = store
        self._chance = random.Random(seed)
        self._backoff = Backoff(1, 300)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.free = [Consumer(f"consumer{number}", LEASE, 3600, LIMITS) for number in range(CONSUMERS)]
        self._wakes_at = float("inf")
        self._housekeeping()

    def enqueue(self, jobs: int, locations: Sequence[str], prefix: str = "j") -> list[str]:
        """Spread jobs of different records over locations; return their ids."""
        orders = [NewJob(f"{prefix}{n}", locations[n % len(locations)], f"p/{n}", b"{}") for n in range(jobs)]
        self._store.enqueue_many(orders, 60)
        return [order.id for order in orders]

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self._store.now + seconds
        self._release()
        while self._events and self._events[0][0] <= end:
            at, _, do = heapq.heappop(self._events)
            self._store.pass_time(max(0.0, at - self._store.now))
            do()
            self._release()
        self._store.pass_time(end - self._store.now)

    def failures(self, since: float, until: float = float("inf")) -> int:
        """Count the requests that failed in this time."""
        return sum(1 for request in self.requests if request.failed and since <= request.at < until)

    def _at(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (seconds, next(self._order), do))

    def _housekeeping(self) -> None:
        self._store.reclaim(200, RETRY_POLICY.max_attempts)
        self._store.expire(200)
        self._at(self._store.now + 5, self._housekeeping)

    def _release(self) -> None:
        while self.free:
            result = self._store.release(self.free[-1]).next
            if isinstance(result, Idle):
                wakes_at = self._store.now + (result.seconds or 0.001)
                if result.seconds is not None and (wakes_at < self._wakes_at or self._wakes_at <= self._store.now):
                    self._wakes_at = wakes_at
                    self._at(wakes_at, lambda: None)
                return
            assert isinstance(result, Released)
            consumer = self.free.pop()
            failed = self.fails(result.location_id, self._store.now)
            self.requests.append(Request(self._store.now, result.location_id, failed))
            latency = self._chance.uniform(0.05, 0.5)
            self._at(
                self._store.now + latency,
                lambda job=result, consumer=consumer, failed=failed: self._answer(job, consumer, failed=failed),  # type: ignore[misc]
            )

    def _answer(self, job: Released, consumer: Consumer, *, failed: bool) -> None:
        if failed:
            delay = self._backoff.delay(job.failures + 1, self._chance)
            report = AttemptReport(job.id, job.attempt, "{}", LIMITS)
            self._store.retry(report, delay=delay, outage=BREAKER_POLICY, retry_policy=RETRY_POLICY)
        else:
            self._store.deliver(AttemptReport(job.id, job.attempt, "{}", LIMITS, RateLimitInfo()), retention=10**6)
        self.free.append(consumer)
