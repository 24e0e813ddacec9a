"""The log of received requests, for tests, the demo and benchmarks. Times in seconds, monotonic."""

import bisect
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple


class RecordKey(NamedTuple):
    """The record that an upsert writes: location, pipeline and contact (observed), or location and opportunity id."""

    location_id: str
    pipeline_id: str
    contact_id: str
    opportunity_id: str = ""

    @property
    def is_unique(self) -> bool:
        """Whether it identifies one opportunity."""
        return bool(self.opportunity_id or (self.pipeline_id and self.contact_id))

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "RecordKey":
        """Return the key of a body, which may be invalid."""
        if body.get("id"):
            return cls(str(body.get("locationId", "")), "", "", str(body["id"]))
        return cls(*(str(body.get(name, "")) for name in ("locationId", "pipelineId", "contactId")))


@dataclass(slots=True)
class LoggedRequest:
    """One request. `answered_at` is None while it is open, `status` None without an answer.

    `fault`: the injected fault. `rate_limited`: a 429 of the limits, not of a fault. `overlapped`: another request of
    the record was open on arrival. `applied`: the number of the upsert in the order in which they took effect.
    `version`: the header `Version`. `raw`: the body as it came, which keeps large logs small.
    """

    number: int
    key: RecordKey
    arrived_at: float
    raw: bytes
    answered_at: float | None = None
    status: int | None = None
    fault: str | None = None
    rate_limited: bool = False
    overlapped: bool = False
    applied: int | None = None
    version: str | None = None

    @property
    def location_id(self) -> str:
        """The location, empty if the body has none."""
        return self.key.location_id

    @property
    def body(self) -> dict[str, Any]:
        """The body, empty if it is not a JSON object."""
        try:
            body = json.loads(self.raw)
        except (ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}

    def to_dict(self) -> dict[str, Any]:
        """Return the request for the control API."""
        names = [each.name for each in fields(self) if each.name not in ("number", "key", "raw")]
        own = {name: getattr(self, name) for name in names}
        return {"number": self.number, **self.key._asdict(), **own, "body": self.body}


class RequestLog:
    """Every request to the upsert endpoint. The server's thread writes, any thread may read."""

    def __init__(self) -> None:
        self.open = 0
        self.max_open = 0
        self._requests: list[LoggedRequest] = []
        self._applied: list[LoggedRequest] = []
        self._open_records: Counter[RecordKey] = Counter()

    def start(self, key: RecordKey, raw: bytes, now: float) -> LoggedRequest:
        """Log a request on arrival."""
        overlapped = key.is_unique and self._open_records[key] > 0
        logged = LoggedRequest(len(self._requests) + 1, key, now, raw, overlapped=overlapped)
        self._open_records[key] += 1
        self._requests.append(logged)
        self.open += 1
        self.max_open = max(self.max_open, self.open)
        return logged

    def apply(self, logged: LoggedRequest) -> None:
        """Log that its upsert took effect."""
        self._applied.append(logged)
        logged.applied = len(self._applied)

    def finish(self, logged: LoggedRequest, now: float) -> None:
        """Log the end of a request, answered or not. A second call changes nothing."""
        if logged.answered_at is not None:
            return
        logged.answered_at = now
        self._open_records[logged.key] -= 1
        if not self._open_records[logged.key]:
            del self._open_records[logged.key]
        self.open -= 1

    def requests(self, location: str | None = None) -> list[LoggedRequest]:
        """Return all requests, or those of one location, in the order of arrival."""
        return [logged for logged in self._requests.copy() if location is None or logged.location_id == location]

    @property
    def throttled(self) -> int:
        """The number of 429s of the limits, without those of faults."""
        return sum(logged.rate_limited for logged in self.requests())

    @property
    def succeeded(self) -> int:
        """The number of 2xx answers."""
        return sum(200 <= (logged.status or 0) < 300 for logged in self.requests())

    def per_record(self) -> dict[RecordKey, list[dict[str, Any]]]:
        """Return the bodies that took effect, in order, by record."""
        bodies: dict[RecordKey, list[dict[str, Any]]] = defaultdict(list)
        for logged in self._applied.copy():
            bodies[logged.key].append(logged.body)
        return dict(bodies)

    def overlaps(self) -> list[RecordKey]:
        """Return the records that had two requests open at once, which may break their order."""
        return sorted({logged.key for logged in self.requests() if logged.overlapped})

    def max_in_window(self, location: str | None = None, seconds: float = 10) -> int:
        """Return the maximum number of requests, throttled ones too, of a location in any window of this length.

        Without a location: the maximum over all locations.
        """
        return max((max_in_window(times, seconds) for times in self._arrivals(location).values()), default=0)

    def utilisation(self, location: str, limit: int, window: float) -> float:
        """Return `utilisation` for a location."""
        return utilisation((logged.arrived_at for logged in self.requests(location)), limit, window)

    def summary(self, window: float) -> dict[str, Any]:
        """Return the counts; `max_in_window` is for windows of this length."""
        requests = self.requests()
        throttled = Counter(logged.location_id for logged in requests if logged.rate_limited)
        return {
            "requests": len(requests),
            "open": self.open,
            "max_open": self.max_open,
            "succeeded": self.succeeded,
            "throttled": throttled.total(),
            "overlaps": self.overlaps(),
            "statuses": {str(status): count for status, count in Counter(logged.status for logged in requests).items()},
            "locations": {
                location: {
                    "requests": len(times),
                    "max_in_window": max_in_window(times, window),
                    "throttled": throttled[location],
                }
                for location, times in sorted(self._arrivals().items())
            },
        }

    def _arrivals(self, location: str | None = None) -> dict[str, list[float]]:
        arrivals: dict[str, list[float]] = defaultdict(list)
        for logged in self.requests(location):
            arrivals[logged.location_id].append(logged.arrived_at)
        return arrivals


def max_in_window(arrivals: Iterable[float], window: float) -> int:
    """Return the maximum number of arrivals in any half-open window of this length."""
    times = sorted(arrivals)
    return max((bisect.bisect_left(times, at + window) - index for index, at in enumerate(times)), default=0)


def utilisation(arrivals: Iterable[float], limit: int, window: float) -> float:
    """Return the shortest possible time for these requests divided by the time that they took.

    At best `limit` requests arrive at the start of each window, so the last of n arrives (n - 1) // limit windows after
    the first. 1 if they fit into one window.
    """
    times = sorted(arrivals)
    fastest = max(0, len(times) - 1) // limit * window
    took = times[-1] - times[0] if times else 0.0
    return fastest / took if fastest and took else 1.0
