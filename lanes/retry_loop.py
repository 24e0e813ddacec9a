"""The pauses of a retry loop: growing, with jitter, until a deadline or a stop flag ends it. Times in seconds."""

import math
import random
import threading
import time

HALF = (0.5, 1.5)  # jitter: factors of the shortest and the longest pause
FULL = (0.0, 1.0)
SLIGHT = (0.8, 1.2)
NONE = (1.0, 1.0)


def jittered(seconds: float, jitter: tuple[float, float] = HALF) -> float:
    """Return a pause with jitter, so that clients which failed together do not retry together."""
    return seconds * random.uniform(*jitter)  # noqa: S311 - no secret


class RetryLoop:
    """A series of tries, until the deadline `within` from now, or until `stop` is set.

    Pauses begin with `first` and grow by `factor` up to `max_pause` (by default `first`), before jitter.
    """

    def __init__(
        self,
        first: float,
        max_pause: float | None = None,
        *,
        within: float = math.inf,
        factor: float = 2.0,
        jitter: tuple[float, float] = HALF,
        stop: threading.Event | None = None,
    ) -> None:
        self._pause = first
        self._max_pause = first if max_pause is None else max_pause
        self._ends_at = time.monotonic() + within
        self._factor = factor
        self._jitter = jitter
        self._stop = stop

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self._ends_at - time.monotonic()

    @property
    def over(self) -> bool:
        """Whether the deadline has passed, or the stop flag is set."""
        return not self.left > 0 or (self._stop is not None and self._stop.is_set())

    def end_within(self, seconds: float) -> None:
        """Bring the deadline forward, unless it is earlier already."""
        self._ends_at = min(self._ends_at, time.monotonic() + seconds)

    def next_pause(self) -> float:
        """Return the next pause, at most until the deadline."""
        pause = jittered(self._pause, self._jitter)
        self._pause = min(self._factor * self._pause, self._max_pause)
        return max(0.0, min(pause, self.left))

    def sleep(self) -> bool:
        """Wait before the next try, at most until the deadline; return False if there is no other try."""
        if self.over:
            return False
        if self._stop is None:
            time.sleep(self.next_pause())
            return True
        return not self._stop.wait(self.next_pause())
