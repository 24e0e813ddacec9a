"""Both rate limits of a location, as the server counts them: from the arrival of a request. Pure; times in seconds."""

from collections import deque
from dataclasses import dataclass, field

from worker.highlevel.sandbox.settings import SandboxSettings


@dataclass(frozen=True, slots=True)
class Usage:
    """What is left of both limits after a request."""

    allowed: bool
    remaining: int
    daily_remaining: int
    daily_reset: float
    retry_after: float


@dataclass(slots=True)
class LocationLimits:
    """The limits of one location. A refused request uses up nothing."""

    settings: SandboxSettings
    _arrivals: deque[float] = field(default_factory=deque)
    _day_began: float | None = None
    _day_used: int = 0

    def take(self, now: float) -> Usage:
        """Count a request that arrived `now`, if both limits allow it, and return what is left."""
        settings = self.settings
        self._forget(now)
        if self._day_began is None or now - self._day_began >= settings.daily_window:
            self._day_began, self._day_used = now, 0
        burst_left = settings.burst_limit - len(self._arrivals)
        daily_left = settings.daily_limit - self._day_used
        allowed = burst_left > 0 and daily_left > 0
        if allowed:
            self._arrivals.append(now)
            self._day_used += 1
        daily_reset = self._day_began + settings.daily_window - now
        return Usage(
            allowed,
            max(0, burst_left - allowed),
            max(0, daily_left - allowed),
            daily_reset,
            daily_reset if daily_left <= 0 else self._until_a_place_is_free(now),
        )

    def _forget(self, now: float) -> None:
        window = self.settings.burst_window
        oldest = now - window if self.settings.window == "sliding" else now // window * window
        while self._arrivals and (
            self._arrivals[0] <= oldest if self.settings.window == "sliding" else self._arrivals[0] < oldest
        ):
            self._arrivals.popleft()

    def _until_a_place_is_free(self, now: float) -> float:
        window = self.settings.burst_window
        if self.settings.window == "fixed":
            return (now // window + 1) * window - now
        return self._arrivals[0] + window - now if self._arrivals else 0.0


def headers(settings: SandboxSettings, usage: Usage) -> dict[str, str]:
    """Return the headers that tell about both limits (documented, but for the sixth, which was observed)."""
    return {
        "X-RateLimit-Max": str(settings.burst_limit),
        "X-RateLimit-Remaining": str(usage.remaining),
        "X-RateLimit-Interval-Milliseconds": str(round(settings.burst_window * 1000)),
        "X-RateLimit-Limit-Daily": str(settings.daily_limit),
        "X-RateLimit-Daily-Remaining": str(usage.daily_remaining),
        "X-RateLimit-Daily-Reset": str(round(usage.daily_reset * 1000)),
    }
