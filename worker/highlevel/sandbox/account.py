"""What the server saw: the account by which tests, the demo and benchmarks judge. Times in seconds."""

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Seen:
    """One request: when it came, when it was answered (None: not yet, or never), with which status.

    `fault` names the fault that befell it; `provoked` is a 429 of the limits themselves; `open_beside` tells that
    another request of the same record was open when it came.
    """

    number: int
    location_id: str
    record: str
    arrived_at: float
    answered_at: float | None = None
    status: int | None = None
    fault: str | None = None
    provoked: bool = False
    open_beside: bool = False


class Account:
    """Every request that reached a location, and the state that the upserts left."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.records: dict[tuple[str, str], dict[str, Any]] = {}
        self.open = 0
        self.most_open = 0
        self._open_records: Counter[tuple[str, str]] = Counter()

    def arrive(self, location_id: str, record: str, now: float) -> Seen:
        """Write down that a request came."""
        seen = Seen(len(self.seen) + 1, location_id, record, now)
        key = (location_id, record)
        seen.open_beside = self._open_records[key] > 0
        self._open_records[key] += 1
        self.seen.append(seen)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        return seen

    def leave(self, seen: Seen, now: float) -> None:
        """Write down that a request is over, answered or not."""
        seen.answered_at = now
        key = (seen.location_id, seen.record)
        self._open_records[key] -= 1
        if not self._open_records[key]:
            del self._open_records[key]
        self.open -= 1

    def summary(self, window: float) -> dict[str, Any]:
        """Return the account in numbers, `most_in_window` counted over windows of this length."""
        arrivals: dict[str, list[float]] = defaultdict(list)
        throttled: Counter[str] = Counter()
        for seen in self.seen:
            if seen.provoked:
                throttled[seen.location_id] += 1
            else:
                arrivals[seen.location_id].append(seen.arrived_at)
        return {
            "requests": len(self.seen),
            "open": self.open,
            "most_open": self.most_open,
            "throttled": throttled.total(),
            "overlaps": [asdict(seen) for seen in self.seen if seen.open_beside],
            "statuses": {str(status): count for status, count in Counter(seen.status for seen in self.seen).items()},
            "locations": {
                location: {
                    "requests": len(arrivals[location]),
                    "most_in_window": most_in_window(arrivals[location], window),
                    "throttled": throttled[location],
                }
                for location in sorted({*arrivals, *throttled})
            },
        }

    def arrivals(self, location_id: str) -> list[float]:
        """Return when the requests of a location came."""
        return [seen.arrived_at for seen in self.seen if seen.location_id == location_id]


def most_in_window(arrivals: Iterable[float], window: float) -> int:
    """Return the largest number of arrivals in any half-open window of this length, wherever it begins."""
    times: Sequence[float] = sorted(arrivals)
    return max((bisect.bisect_left(times, at + window) - index for index, at in enumerate(times)), default=0)
