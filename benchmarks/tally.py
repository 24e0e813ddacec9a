"""What the instant server saw: how many upserts, when, and how many beyond a location's limit."""

import json
import re
import ssl
import time
import urllib.error
import urllib.request
from collections import defaultdict, deque
from dataclasses import dataclass

_LOCATION = re.compile(rb'"locationId": ?"([^"]+)"')
_CONTACT = re.compile(rb'"contactId": ?"([^"]+)"')


@dataclass
class Tally:
    """How many upserts came, when the first came and the last was answered, in seconds, how many of them with 429."""

    count: int = 0
    first: float = 0.0
    last: float = 0.0
    throttled: int = 0

    def note(self) -> None:
        """One more came."""
        self.first = self.first or time.monotonic()
        self.count += 1

    def note_answer(self) -> None:
        """One was answered."""
        self.last = time.monotonic()

    @property
    def rate(self) -> float:
        """Upserts a second, from the first request to the last answer."""
        return self.count / (self.last - self.first)


class Limiter:
    """Counts the requests of each location in the last `seconds`; with 0 requests it takes all."""

    def __init__(self, requests: int, seconds: float) -> None:
        self._requests, self._seconds = requests, seconds
        self._arrivals: defaultdict[bytes, deque[float]] = defaultdict(deque)

    def takes(self, request: bytes) -> bool:
        """Whether this request is within the limit of its location."""
        if not self._requests:
            return True
        found = _LOCATION.search(request)
        arrivals, now = self._arrivals[found[1] if found else b""], time.monotonic()
        while arrivals and arrivals[0] <= now - self._seconds:
            arrivals.popleft()
        if len(arrivals) >= self._requests:
            return False
        arrivals.append(now)
        return True


class ArrivalLog:
    """When the upsert of each contact came, if it is to be kept."""

    def __init__(self, *, kept: bool) -> None:
        self._kept = kept
        self.arrivals: dict[str, float] = {}

    def note(self, request: bytes) -> None:
        """Keep this one."""
        if self._kept and (found := _CONTACT.search(request)):
            self.arrivals[found[1].decode()] = time.monotonic()


def read_tally(url: str, cafile: str | None = None) -> Tally | None:
    """Return what the server at this URL saw so far, None while it does not answer."""
    try:
        return Tally(**json.loads(_read(url, cafile)))
    except (urllib.error.URLError, OSError):
        return None


def read_arrivals(url: str) -> dict[str, float]:
    """Return when the upsert of each contact came, in seconds of the monotonic clock of this machine."""
    arrivals: dict[str, float] = json.loads(_read(f"{url}/arrivals", None))
    return arrivals


def _read(url: str, cafile: str | None) -> bytes:
    context = None if cafile is None else ssl.create_default_context(cafile=cafile)
    with urllib.request.urlopen(url, timeout=5, context=context) as answer:
        content: bytes = answer.read()
    return content
