"""The burst and daily limits of a location, as the server counts them by arrival. Pure; times in seconds."""

import math
from collections import deque
from dataclasses import dataclass, replace

from ops.sandbox.settings import SandboxSettings


@dataclass(frozen=True, slots=True)
class Usage:
    """Whether a request is allowed, the limits, and what is left of them after it.

    `daily_reset`: seconds until the daily quota is full again; `retry_after`: until the next request is allowed.
    """

    allowed: bool
    burst_limit: int
    daily_limit: int
    remaining: int
    daily_remaining: int
    daily_reset: float
    retry_after: float


class LocationLimits:
    """The limits of one location, which may change at any time. A refused request is not counted.

    A sliding window counts the requests younger than its length; fixed windows begin at multiples of their length. The
    day begins with the first request of a location (observed: not at midnight).
    """

    def __init__(self, settings: SandboxSettings, burst_limit: int | None = None) -> None:
        self._settings = settings
        self.burst_limit = burst_limit or settings.burst_limit
        self.daily_limit = settings.daily_limit
        self._arrivals: deque[float] = deque()
        self._day_began: float | None = None
        self._day_used = 0

    def peek(self, now: float) -> Usage:
        """Return what is left, without counting a request."""
        settings = self._settings
        self._forget(now)
        left = max(0, self.burst_limit - len(self._arrivals))
        daily_left = max(0, self.daily_limit - self._day_used)
        began = now if self._day_began is None else self._day_began
        daily_reset = began + settings.daily_window_seconds - now
        wait = 0.0 if left > 0 else self._seconds_until_free(now)
        return Usage(
            allowed=left > 0 and daily_left > 0,
            burst_limit=self.burst_limit,
            daily_limit=self.daily_limit,
            remaining=left,
            daily_remaining=daily_left,
            daily_reset=daily_reset,
            retry_after=wait if daily_left > 0 else daily_reset,
        )

    def consume(self, now: float) -> Usage:
        """Count a request that arrives `now`, if both limits allow it; return what is left."""
        usage = self.peek(now)
        if not usage.allowed:
            return usage
        if self._day_began is None:
            self._day_began = now
        self._arrivals.append(now)
        self._day_used += 1
        return replace(usage, remaining=usage.remaining - 1, daily_remaining=usage.daily_remaining - 1)

    def _forget(self, now: float) -> None:
        window = self._settings.burst_window_seconds
        arrivals = self._arrivals
        if self._settings.window == "sliding":
            while arrivals and arrivals[0] <= now - window:
                arrivals.popleft()
        elif arrivals and arrivals[-1] // window < now // window:
            arrivals.clear()
        if self._day_began is not None and now - self._day_began >= self._settings.daily_window_seconds:
            self._day_began, self._day_used = None, 0

    def _seconds_until_free(self, now: float) -> float:
        window = self._settings.burst_window_seconds
        if self._settings.window == "fixed":
            return (now // window + 1) * window - now
        return self._arrivals[len(self._arrivals) - self.burst_limit] + window - now


def limit_headers(settings: SandboxSettings, usage: Usage) -> dict[str, str]:
    """Return the headers of both limits (documented; the sixth was observed)."""
    return {
        "X-RateLimit-Max": str(usage.burst_limit),
        "X-RateLimit-Remaining": str(usage.remaining),
        "X-RateLimit-Interval-Milliseconds": str(round(settings.burst_window_seconds * 1000)),
        "X-RateLimit-Limit-Daily": str(usage.daily_limit),
        "X-RateLimit-Daily-Remaining": str(usage.daily_remaining),
        "X-RateLimit-Daily-Reset": str(round(usage.daily_reset * 1000)),
    }


def retry_after_header(usage: Usage) -> dict[str, str]:
    """Return the header `Retry-After`, in seconds, rounded up."""
    return {"Retry-After": str(math.ceil(usage.retry_after))}
