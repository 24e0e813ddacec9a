"""What the server saw: the account by which tests, the demo and benchmarks judge. Times in seconds, monotonic."""

import bisect
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class RecordKey(NamedTuple):
    """What an upsert writes: contact and pipeline (observed), or the opportunity that it names, within the location."""

    location_id: str
    pipeline_id: str
    contact_id: str
    opportunity_id: str = ""

    @property
    def is_unique(self) -> bool:
        """Whether there is one opportunity that it is the key of."""
        return bool(self.opportunity_id or (self.pipeline_id and self.contact_id))

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "RecordKey":
        """Return the key of a body, whatever stands in it."""
        if body.get("id"):
            return cls(str(body.get("locationId", "")), "", "", str(body["id"]))
        return cls(*(str(body.get(name, "")) for name in ("locationId", "pipelineId", "contactId")))


@dataclass(slots=True)
class LoggedRequest:
    """One request: when it came, when it was over (None: not yet), with which status (None: no answer).

    `fault` names the fault that befell it; `rate_limited` is a 429 of the limits themselves; `overlapped` tells that
    another request of the same record was open when it came; `applied` numbers the upserts in the order in which they
    took effect; `version` is the header `Version`. The body is kept as it came: the account of a hundred thousand
    requests stays small.
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
        """The location, empty when the body named none."""
        return self.key.location_id

    @property
    def pipeline_id(self) -> str:
        """The pipeline, empty when the body named none."""
        return self.key.pipeline_id

    @property
    def contact_id(self) -> str:
        """The contact, empty when the body named none."""
        return self.key.contact_id

    @property
    def body(self) -> dict[str, Any]:
        """The body, empty when it was no JSON object."""
        try:
            body = json.loads(self.raw)
        except (ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}

    def to_dict(self) -> dict[str, Any]:
        """Return what is sent to who asks over HTTP."""
        return {
            "number": self.number,
            **self.key._asdict(),
            "arrived_at": self.arrived_at,
            "answered_at": self.answered_at,
            "status": self.status,
            "fault": self.fault,
            "rate_limited": self.rate_limited,
            "overlapped": self.overlapped,
            "applied": self.applied,
            "version": self.version,
            "body": self.body,
        }


class RequestLog:
    """Every request that reached the endpoint. The server's thread writes; any thread may read."""

    def __init__(self) -> None:
        self.open = 0
        self.max_open = 0
        self._requests: list[LoggedRequest] = []
        self._applied: list[LoggedRequest] = []
        self._open_records: Counter[RecordKey] = Counter()

    def start(self, key: RecordKey, raw: bytes, now: float) -> LoggedRequest:
        """Write down that a request came."""
        overlapped = key.is_unique and self._open_records[key] > 0
        logged = LoggedRequest(len(self._requests) + 1, key, now, raw, overlapped=overlapped)
        self._open_records[key] += 1
        self._requests.append(logged)
        self.open += 1
        self.max_open = max(self.max_open, self.open)
        return logged

    def apply(self, logged: LoggedRequest) -> None:
        """Write down that its upsert took effect."""
        self._applied.append(logged)
        logged.applied = len(self._applied)

    def finish(self, logged: LoggedRequest, now: float) -> None:
        """Write down that a request is over, answered or not; once is enough."""
        if logged.answered_at is not None:
            return
        logged.answered_at = now
        self._open_records[logged.key] -= 1
        if not self._open_records[logged.key]:
            del self._open_records[logged.key]
        self.open -= 1

    def requests(self, location: str | None = None) -> list[LoggedRequest]:
        """Return every request in the order of arrival, or those of one location."""
        return [logged for logged in self._requests.copy() if location is None or logged.location_id == location]

    @property
    def throttled(self) -> int:
        """How many 429s the limits gave; those of faults are not among them."""
        return sum(logged.rate_limited for logged in self.requests())

    @property
    def succeeded(self) -> int:
        """How many requests were answered with a 2xx."""
        return sum(200 <= (logged.status or 0) < 300 for logged in self.requests())

    def per_record(self) -> dict[RecordKey, list[dict[str, Any]]]:
        """Return the bodies that took effect, in that order, record by record."""
        bodies: dict[RecordKey, list[dict[str, Any]]] = defaultdict(list)
        for logged in self._applied.copy():
            bodies[logged.key].append(logged.body)
        return dict(bodies)

    def overlaps(self) -> list[RecordKey]:
        """Return the records that had two requests open at once, each once: their order was in danger."""
        return sorted({logged.key for logged in self.requests() if logged.overlapped})

    def max_in_window(self, location: str | None = None, seconds: float = 10) -> int:
        """Return the most requests of one location that arrived in any window of this length, throttled ones too.

        Without a location, that of the location that had most.
        """
        return max((max_in_window(times, seconds) for times in self._arrivals(location).values()), default=0)

    def utilisation(self, location: str, limit: int, window: float) -> float:
        """Return how close a location came to the fastest that its limit allows, 1 being as fast; see `utilisation`."""
        return utilisation((logged.arrived_at for logged in self.requests(location)), limit, window)

    def summary(self, window: float) -> dict[str, Any]:
        """Return the account in numbers, `max_in_window` counted over windows of this length."""
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
    """Return the largest number of arrivals in any half-open window of this length, wherever it begins."""
    times = sorted(arrivals)
    return max((bisect.bisect_left(times, at + window) - index for index, at in enumerate(times)), default=0)


def utilisation(arrivals: Iterable[float], limit: int, window: float) -> float:
    """Return the least time that these requests could have taken, as a part of the time that they did take.

    At best `limit` requests arrive at once at the beginning of each window: the last of n cannot arrive before
    (n - 1) // limit windows have passed since the first. 1 for no more requests than one window holds.
    """
    times = sorted(arrivals)
    fastest = max(0, len(times) - 1) // limit * window
    took = times[-1] - times[0] if times else 0.0
    return fastest / took if fastest and took else 1.0
