"""A server, workers and somebody else who sends, in virtual time, around the real scripts on a real Redis."""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from lanes.order import Order
from lanes.results import Idle, Released
from lanes.transitions import Limits, Report, Seat, Told
from tests.lanes.conftest import START, ClockedStore

LIMITS = Limits(burst=100, window=10, daily=200_000)
SEATS = 40
LEASE = 30.0


@dataclass
class Server:
    """Counts the requests of one location as the API may: in a sliding window, or in fixed ones."""

    fixed: bool = False
    admitted: deque[float] = field(default_factory=deque)
    arrivals: list[tuple[float, str, bool]] = field(default_factory=list)

    def arrive(self, now: float, sender: str) -> Told:
        """Count a request, if there is room for it; `left` is None when there is none."""
        while self.admitted and self._gone(self.admitted[0], now):
            self.admitted.popleft()
        room = len(self.admitted) < LIMITS.burst
        if room:
            self.admitted.append(now)
        self.arrivals.append((now, sender, room))
        return Told(LIMITS.burst, LIMITS.burst - len(self.admitted), LIMITS.window)

    def _gone(self, at: float, now: float) -> bool:
        if self.fixed:
            return at // LIMITS.window < now // LIMITS.window
        return at <= now - LIMITS.window

    def most_in_window(self, sender: str) -> int:
        """Return the most requests of one sender that arrived within any window's length."""
        times = [at for at, who, _ in self.arrivals if who == sender]
        return max(sum(1 for at in times[i:] if at < begin + LIMITS.window) for i, begin in enumerate(times))

    def share_refused(self, sender: str, since: float) -> float:
        """Return which part of a sender's requests from a time on found no room."""
        rooms = [room for at, who, room in self.arrivals if who == sender and at >= since]
        return rooms.count(False) / len(rooms)

    def used(self, since: float, until: float) -> float:
        """Return the part of the allowed requests that was admitted in this time, of all senders together."""
        taken = sum(1 for at, _, room in self.arrivals if room and since <= at < until)
        return taken / ((until - since) / LIMITS.window * LIMITS.burst)


class Simulation:
    """Runs events in the order of their times; the store's clock goes with them."""

    def __init__(
        self, store: ClockedStore, server: Server, chance: random.Random, latency: tuple[float, float], seats: int
    ) -> None:
        self.server = server
        self.chance = chance
        self._store = store
        self._latency = latency
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._free = [Seat(f"seat{number}", LEASE, 3600, LIMITS) for number in range(seats)]
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
        self._store.pass_time(end - self.now)

    def enqueue(self, jobs: int, location: str = "loc") -> None:
        """Put jobs of different records into a lane."""
        self._store.enqueue_many([Order(f"j{n}", location, f"p/{n}", b"{}") for n in range(jobs)], 60)

    def send_others(self, until: float, rate: Callable[[], float]) -> None:
        """Let somebody else send, at this rate a second, with pauses at random."""
        at = self.now + self.chance.uniform(0.5, 1.5) / rate()
        if at < until:
            self.at(at, lambda: self._other(until, rate))

    def _other(self, until: float, rate: Callable[[], float]) -> None:
        self.server.arrive(self.now, "other")
        self.send_others(until, rate)

    def _release(self) -> None:
        while self._free:
            result = self._store.release(self._free[-1]).next
            if isinstance(result, Idle):
                self._sleep(result.seconds)
                return
            assert isinstance(result, Released)
            seat = self._free.pop()
            latency = self.chance.uniform(*self._latency)
            arrives = self.now + self.chance.uniform(0.05, 0.5) * latency
            self.at(arrives, lambda job=result, seat=seat, end=self.now + latency: self._arrive(job, seat, end))  # type: ignore[misc]

    def _sleep(self, seconds: float | None) -> None:
        wakes_at = self.now + (seconds or 0.001)
        if seconds is not None and (wakes_at < self._wakes_at or self._wakes_at <= self.now):
            self._wakes_at = wakes_at
            self.at(wakes_at, lambda: None)

    def _arrive(self, job: Released, seat: Seat, answered_at: float) -> None:
        told = self.server.arrive(self.now, "lanes")
        admitted = self.server.arrivals[-1][2]
        self.at(answered_at, lambda: self._answer(job, seat, told, admitted=admitted))

    def _answer(self, job: Released, seat: Seat, told: Told, *, admitted: bool) -> None:
        report = Report(job.id, job.attempt, "{}", LIMITS, told)
        if admitted:
            self._store.deliver(report, retention=3600)
        else:
            self._store.throttle(report, wait=1)
        self._free.append(seat)


def start(
    store: ClockedStore,
    seed: int,
    *,
    fixed: bool = False,
    latency: tuple[float, float] = (0.05, 0.5),
    seats: int = SEATS,
) -> Simulation:
    """Return a simulation at the beginning of time."""
    store.pass_time(START - store.now)
    return Simulation(store, Server(fixed), random.Random(seed), latency, seats)
