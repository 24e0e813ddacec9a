"""The pause before a failed job is retried. Pure."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter. Times in seconds."""

    base: float
    max_seconds: float

    def min_delay(self, asked: float | None) -> float:
        """Return the shortest pause if the API asked for one: at most four times the longest backoff. Else 0."""
        return min(asked or 0.0, 4 * self.max_seconds)

    def delay(self, failures: int, chance: random.Random) -> float:
        """Return the pause after the failure with this number, from 1: uniform between 0 and its upper bound."""
        return chance.uniform(0, min(self.max_seconds, self.base * 2 ** min(failures - 1, 32)))
