"""How soon it went on after a fault. Pure. Times in seconds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

BEFORE_SECONDS = 4.0
SAMPLE_SECONDS = 2.0
FULL_SPEED = 0.8  # of the rate before


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds from the end of a fault to the first delivery and to full speed (None: never), and the rates then."""

    first: float | None
    full: float | None
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """The best rate after the fault as a part of that before."""
        return self.after / self.before if self.before else 1.0


def recovery(
    deliveries: Sequence[float], began_at: float, ended_at: float, until: float, usual: float = math.inf
) -> Recovery:
    """Return how a fault was recovered from, by the times of the deliveries (sorted) until a time.

    `usual` is the rate at which jobs come in: what was more before the fault was a backlog.

    Full speed: as many deliveries in two seconds as 80 % of those that were usual before it.
    """
    before = min(usual, sum(began_at - BEFORE_SECONDS <= at < began_at for at in deliveries) / BEFORE_SECONDS)
    after = [at for at in deliveries if ended_at < at <= until]
    first = after[0] - ended_at if after else None
    full, best, start = None, 0, 0
    for place, at in enumerate(after):
        while after[start] < at - SAMPLE_SECONDS:
            start += 1
        count = place - start + 1
        best = max(best, count)
        if full is None and count >= FULL_SPEED * before * SAMPLE_SECONDS:
            full = at - ended_at
    return Recovery(first, full, before, best / SAMPLE_SECONDS)
