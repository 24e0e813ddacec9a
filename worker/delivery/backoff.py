"""When a failed job is tried again. Pure."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter. Times in seconds."""

    base: float
    max_seconds: float

    def min_delay(self, asked: float | None) -> float:
        """Return the shortest pause that the API asked for, at most four times the longest backoff; 0 for none."""
        return min(asked or 0.0, 4 * self.max_seconds)

    def delay(self, failures: int, chance: random.Random) -> float:
        """Return the pause after the failure with this number (the first is 1), uniform from 0 to its upper bound."""
        return chance.uniform(0, min(self.max_seconds, self.base * 2 ** min(failures - 1, 32)))
