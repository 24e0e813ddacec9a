"""A server, workers and a foreign sender in virtual time, with the real scripts on a real Redis."""

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

from lanes.queue.new_job import NewJob
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits, RateLimitInfo
from tests.lanes.conftest import START, ClockedStore

BURST = 100
LIMITS = DefaultLimits(burst=BURST, window=10, daily=200_000)
CONSUMERS = 40
LEASE = 30.0
TIMEOUT = 5.0
DAY = 86_400.0


@dataclass
class Server:
    """Counts the requests of one location as the API may: in a sliding window, or in fixed ones.

    The limits may change at any time. A day, where it has one, begins with its first request; `resets` says whether
    the answers say when it ends. A refused request uses up nothing; `day_refused` counts those that the day refused.
    """

    fixed: bool = False
    burst: int = BURST
    daily: int | None = None
    day_seconds: float = DAY
    resets: bool = True
    admitted: deque[float] = field(default_factory=deque)
    arrivals: list[tuple[float, str, bool]] = field(default_factory=list)
    day_began: float | None = None
    day_used: int = 0
    day_refused: Counter[str] = field(default_factory=Counter)
    days: list[int] = field(default_factory=list)

    def arrive(self, now: float, sender: str) -> RateLimitInfo:
        """Count a request, if the window is not full."""
        while self.admitted and self._gone(self.admitted[0], now):
            self.admitted.popleft()
        day_left = self._look_at_day(now)
        fits = len(self.admitted) < self.burst and day_left != 0
        if fits:
            self.admitted.append(now)
            self.day_used += 1
            self.day_began = now if self.day_began is None else self.day_began
        self.arrivals.append((now, sender, fits))
        rate_limits = RateLimitInfo(self.burst, max(0, self.burst - len(self.admitted)), LIMITS.window)
        if day_left is None or self.daily is None:
            return rate_limits
        self.day_refused[sender] += day_left == 0
        resets_in = (self.day_began or now) + self.day_seconds - now if self.resets else None
        return replace(
            rate_limits, daily=self.daily, day_left=max(0, self.daily - self.day_used), day_resets_in=resets_in
        )

    def _look_at_day(self, now: float) -> int | None:
        if self.day_began is not None and now - self.day_began >= self.day_seconds:
            self.days.append(self.day_used)
            self.day_began, self.day_used = None, 0
        return None if self.daily is None else max(0, self.daily - self.day_used)

    def _gone(self, at: float, now: float) -> bool:
        if self.fixed:
            return at // LIMITS.window < now // LIMITS.window
        return at <= now - LIMITS.window

    def max_in_window(self, sender: str) -> int:
        """Return the most requests of one sender that arrived within any window's length."""
        times = [at for at, who, _ in self.arrivals if who == sender]
        return max(sum(1 for at in times[i:] if at < begin + LIMITS.window) for i, begin in enumerate(times))

    def share_refused(self, sender: str, since: float) -> float:
        """Return the share of a sender's requests after a time that were over the limit."""
        fitted = [fits for at, who, fits in self.arrivals if who == sender and at >= since]
        return fitted.count(False) / len(fitted)

    def used(self, since: float, until: float) -> float:
        """Return the part of the allowed requests that was admitted in this time, of all senders together."""
        taken = sum(1 for at, _, fits in self.arrivals if fits and since <= at < until)
        return taken / ((until - since) / LIMITS.window * BURST)


@dataclass
class Losses:
    """The shares of requests and answers that are lost, and the share of workers that crash then.

    A worker that survives reports a failure after its time-out; the lease of one that crashes ends.
    """

    requests: float = 0.0
    answers: float = 0.0
    deaths: float = 0.0


@dataclass
class Requests:
    """What only the test knows: the open requests, and which of the ended ones may have been counted.

    Events are numbered. What ended without an answer is settled by the answer to a request that was sent after its end.
    """

    events: "count[int]" = field(default_factory=count)
    out: dict[Released, int] = field(default_factory=dict)
    max_out: int = 0
    lost: list[int] = field(default_factory=list)
    settled: int = -1

    def send(self, job: Released) -> None:
        """A request goes out."""
        self.out[job] = next(self.events)
        self.max_out = max(self.max_out, len(self.out))

    def answer(self, job: Released) -> None:
        """Its answer came."""
        self.settled = max(self.settled, self.out.pop(job))

    def lose(self, job: Released) -> None:
        """It ended without one."""
        del self.out[job]
        self.lost.append(next(self.events))

    @property
    def unknown(self) -> int:
        """How many ended requests may or may not have been counted."""
        return sum(1 for end in self.lost if end > self.settled)


class Simulation:
    """Runs events in the order of their times; the store's clock goes with them."""

    def __init__(
        self,
        store: ClockedStore,
        server: Server,
        chance: random.Random,
        latency: tuple[float, float],
        consumers: int,
        *,
        limits: DefaultLimits = LIMITS,
        losses: Losses | None = None,
    ) -> None:
        self.server = server
        self.chance = chance
        self.requests = Requests()
        self.look: Callable[[], None] = lambda: None
        self._limits = limits
        self._losses = losses or Losses()
        self._store = store
        self._latency = latency
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._free = [Consumer(f"consumer{number}", LEASE, 3600, limits) for number in range(consumers)]
        self._wakes_at = float("inf")

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self._store.now

    def at(self, seconds: float, do: Callable[[], None]) -> None:
        """Let something happen at a time."""
        heapq.heappush(self._events, (seconds, next(self._order), do))

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.now + seconds
        self._release()
        while self._events and self._events[0][0] <= end:
            at, _, do = heapq.heappop(self._events)
            self._store.pass_time(max(0.0, at - self.now))
            do()
            self._release()
            self.look()
        self._store.pass_time(end - self.now)

    def enqueue(self, jobs: int, location: str = "loc") -> None:
        """Put jobs of different records into a lane."""
        self._store.enqueue_many([NewJob(f"j{n}", location, f"p/{n}", b"{}") for n in range(jobs)], 60)

    def send_foreign(self, until: float, rate: Callable[[], float]) -> None:
        """Let a foreign sender send at this rate per second, with random pauses."""
        at = self.now + self.chance.uniform(0.5, 1.5) / rate()
        if at < until:
            self.at(at, lambda: self._send_one_foreign(until, rate))

    def _send_one_foreign(self, until: float, rate: Callable[[], float]) -> None:
        self.server.arrive(self.now, "other")
        self.send_foreign(until, rate)

    def _release(self) -> None:
        while self._free:
            result = self._store.release(self._free[-1]).next
            if isinstance(result, Idle):
                self._sleep(result.seconds)
                return
            assert isinstance(result, Released)
            consumer = self._free.pop()
            self.requests.send(result)
            self._send(result, consumer)

    def _send(self, job: Released, consumer: Consumer) -> None:
        latency = self.chance.uniform(*self._latency)
        arrives, ends, fate = self.now + self.chance.uniform(0.05, 0.5) * latency, self.now + latency, 1.0
        if self._losses.requests or self._losses.answers:
            fate = self.chance.random()
        if fate < self._losses.requests:
            self._lose(job, consumer)
        elif fate < self._losses.requests + self._losses.answers:
            self.at(arrives, self._vanish)
            self._lose(job, consumer)
        else:
            self.at(arrives, lambda: self._arrive(job, consumer, ends))

    def _vanish(self) -> None:
        self.server.arrive(self.now, "lanes")

    def _lose(self, job: Released, consumer: Consumer) -> None:
        if self.chance.random() < self._losses.deaths:
            self.at(self.now + LEASE, lambda: self._reclaim(job, consumer))
        else:
            self.at(self.now + TIMEOUT, lambda: self._fail(job, consumer))

    def _reclaim(self, job: Released, consumer: Consumer) -> None:
        self.requests.lose(job)
        self._store.reclaim(100, 10**6)
        self._free.append(replace(consumer, worker=f"{consumer.worker}'"))

    def _fail(self, job: Released, consumer: Consumer) -> None:
        self.requests.lose(job)
        self._store.retry(AttemptReport(job.id, job.attempt, "{}", self._limits), delay=0.5)
        self._free.append(consumer)

    def _sleep(self, seconds: float | None) -> None:
        wakes_at = self.now + (seconds or 0.001)
        if seconds is not None and (wakes_at < self._wakes_at or self._wakes_at <= self.now):
            self._wakes_at = wakes_at
            self.at(wakes_at, lambda: None)

    def _arrive(self, job: Released, consumer: Consumer, answered_at: float) -> None:
        rate_limits = self.server.arrive(self.now, "lanes")
        admitted = self.server.arrivals[-1][2]
        self.at(answered_at, lambda: self._answer(job, consumer, rate_limits, admitted=admitted))

    def _answer(self, job: Released, consumer: Consumer, rate_limits: RateLimitInfo, *, admitted: bool) -> None:
        self.requests.answer(job)
        report = AttemptReport(job.id, job.attempt, "{}", self._limits, rate_limits)
        if admitted:
            self._store.deliver(report, retention=3600)
        else:  # as the client makes it of the same headers
            self._store.throttle(report, wait=1 if rate_limits.day_left != 0 else rate_limits.day_resets_in or 3600)
        self._free.append(consumer)


def start(
    store: ClockedStore,
    seed: int,
    *,
    fixed: bool = False,
    latency: tuple[float, float] = (0.05, 0.5),
    consumers: int = CONSUMERS,
    server: Server | None = None,
    limits: DefaultLimits = LIMITS,
    losses: Losses | None = None,
) -> Simulation:
    """Return a simulation at the beginning of time."""
    store.pass_time(START - store.now)
    return Simulation(
        store, server or Server(fixed), random.Random(seed), latency, consumers, limits=limits, losses=losses
    )
