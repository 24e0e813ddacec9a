"""What the sandbox saw, and what follows from it. Times in seconds, monotonic: those of every process of a machine."""

import bisect
import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.figures import BenchmarkError
from benchmarks.plan import Limit
from ops.sandbox import SandboxControl


@dataclass(frozen=True, slots=True)
class Request:
    """One request, answered."""

    location: str
    contact: str
    arrived_at: float
    answered_at: float
    status: int
    throttled: bool

    @property
    def succeeded(self) -> bool:
        """Whether its upsert took effect."""
        return 200 <= self.status < 300


def read_requests(control: SandboxControl) -> list[Request]:
    """Return every request in the order of arrival.

    Raises:
        BenchmarkError: one was not answered.
    """
    seen = control.requests()
    if silent := [one for one in seen if one["answered_at"] is None or one["status"] is None]:
        message = f"the sandbox left {len(silent)} of {len(seen)} requests without an answer"
        raise BenchmarkError(message)
    return [
        Request(
            one["location_id"],
            one["contact_id"],
            one["arrived_at"],
            one["answered_at"],
            one["status"],
            one["rate_limited"],
        )
        for one in seen
    ]


def check_each_delivered_once(name: str, requests: Iterable[Request], contacts: Iterable[str]) -> None:
    """See that each of these contacts was upserted exactly once, and no other.

    Raises:
        BenchmarkError: the deliveries differ.
    """
    delivered = Counter(request.contact for request in requests if request.succeeded)
    expected = Counter(list(contacts))
    if delivered != expected:
        missing, surplus = (expected - delivered).total(), (delivered - expected).total()
        message = f"{name}: of {expected.total()} upserts {missing} are missing and {surplus} too many"
        raise BenchmarkError(message)


def sliding_counts(arrivals: Iterable[float], window: float) -> tuple[list[float], list[int]]:
    """Return when the count of the last `window` seconds changed, and to what; in seconds from the first arrival."""
    times = sorted(arrivals)
    changes = sorted([(at, 1) for at in times] + [(at + window, -1) for at in times])
    xs, ys, count = [], [], 0
    for at, change in changes:
        count += change
        xs.append(at - times[0])
        ys.append(count)
    return xs, ys


def mean_count(arrivals: Iterable[float], window: float, begin: float, until: float) -> float:
    """Return the mean count of the last `window` seconds between two times."""
    held = sum(max(0.0, min(at + window, until) - max(at, begin)) for at in arrivals)
    return held / (until - begin)


def safe_rule_seconds(requests: Sequence[Request], limit: Limit) -> float:
    """Return the least time between the first and the last arrival that the safe rule permits these requests.

    The rule: a slot is free again one window after its response, for only then has the server's window forgotten its
    request for certain. So each request waits for the earliest of the slots, and holds it for its own latency and one
    window: `limit` requests per window and latency.
    """
    free_at = [0.0] * limit.requests
    arrived = 0.0
    for request in sorted(requests, key=lambda one: one.arrived_at):
        arrived = max(arrived, free_at[0])
        latency = request.answered_at - request.arrived_at
        heapq.heapreplace(free_at, arrived + latency + limit.seconds)
    return arrived


def span(requests: Iterable[Request]) -> float:
    """Return the seconds between the first and the last arrival."""
    times = [request.arrived_at for request in requests]
    return max(times) - min(times)


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the least of the values that so many percent do not exceed."""
    ordered = sorted(values)
    ranks = [100 * rank / len(ordered) for rank in range(1, len(ordered) + 1)]
    return ordered[min(bisect.bisect_left(ranks, percent), len(ordered) - 1)]
