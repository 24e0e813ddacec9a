"""All faults, and a plan of them. The same seed gives the same plan."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.connection_faults import API_FAULTS, CONNECTION_FAULTS
from tests.chaos.fault import Fault
from tests.chaos.redis_faults import REDIS_FAULTS
from tests.chaos.worker_faults import WORKER_FAULTS

FAULTS = {fault.name: fault for fault in (*WORKER_FAULTS, *REDIS_FAULTS, *CONNECTION_FAULTS, *API_FAULTS)}
TOGETHER = 0.3  # of the rounds have more than one fault
MAX_TOGETHER = 3


@dataclass(frozen=True, slots=True)
class Planned:
    """A planned fault: seconds after its round begins, its duration, and the seed of its random choices."""

    name: str
    after: float
    seconds: float
    seed: int

    def make(self) -> Fault:
        """Return the fault."""
        return FAULTS[self.name](random.Random(self.seed))

    def __str__(self) -> str:
        return f"{self.name} (at {self.after:.1f} s, for {self.seconds:.1f} s)"


def rounds(seed: int, names: Sequence[str] = tuple(FAULTS), together: float = TOGETHER) -> Iterator[list[Planned]]:
    """Yield rounds of faults without end, each fault once before any comes again; now and then several at once."""
    chance = random.Random(f"{seed}/rounds")
    bag: list[str] = []
    while True:
        size = chance.randint(2, MAX_TOGETHER) if chance.random() < together else 1
        chosen: list[str] = []
        while len(chosen) < size:
            bag = bag or chance.sample(list(names), len(names))
            fitting = [name for name in bag if all(_apart(name, other) for other in chosen)]
            if not fitting:
                break
            chosen.append(fitting[0])
            bag.remove(fitting[0])
        yield [_planned(name, chance) for name in chosen]


def _apart(one: str, other: str) -> bool:
    return not FAULTS[one].targets & FAULTS[other].targets


def _planned(name: str, chance: random.Random) -> Planned:
    kind = FAULTS[name]
    return Planned(
        name, chance.uniform(0.2, 1.5), chance.uniform(kind.min_seconds, kind.max_seconds), chance.getrandbits(32)
    )
