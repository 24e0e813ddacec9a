"""How large the benchmarks are, and what they tell while they run."""

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure with: a folder for what the parts write, how often, and how many jobs."""

    folder: Path
    runs: int
    bulk: int
    single: int
    memory: int
    drain: int

    @classmethod
    def full(cls, folder: Path, runs: int) -> "Plan":
        """Return the sizes at which figures mean something."""
        return cls(folder, runs, bulk=5_000, single=1_000, memory=20_000, drain=6_000)

    @classmethod
    def quick(cls, folder: Path) -> "Plan":
        """Return sizes that only show that everything works, in one run."""
        return cls(folder, 1, bulk=200, single=50, memory=200, drain=200)


def tell(line: str) -> None:
    """Say on stderr what goes on."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
