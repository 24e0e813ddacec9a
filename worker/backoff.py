"""When a failed job is tried again, and when no more. Pure."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter. Times in seconds."""

    base: float
    most: float
    max_attempts: int
    max_age: float

    def exhausted(self, failures: int, age: float) -> bool:
        """Whether a job that has failed `failures` times by now and is `age` old is given up."""
        return failures >= self.max_attempts or age >= self.max_age

    def delay(self, failures: int, chance: random.Random) -> float:
        """Return the pause after the failure with this number (the first is 1), uniform from 0 to its upper bound."""
        return chance.uniform(0, min(self.most, self.base * 2 ** min(failures - 1, 32)))
