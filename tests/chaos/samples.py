"""What is sampled while it soaks: memory, descriptors, latency; and whether it stays flat."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
WARM_UP = 0.25  # of the run, in which caches, pools and retained jobs fill
MAX_POINTS = 400


def process_group(pid: int) -> list[int]:
    """Return the processes of a process's group, itself among them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == pid:
                found.append(int(entry.name))
    return found


def megabytes(pids: Sequence[int]) -> float:
    """Return the resident memory of processes, together."""
    pages = 0
    for pid in pids:
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
        except OSError:
            continue
    return pages * PAGE / 1e6


def descriptors(pids: Sequence[int]) -> int:
    """Return the open descriptors of processes, together."""
    count = 0
    for pid in pids:
        try:
            count += len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names alone
        except OSError:
            continue
    return count


@dataclass(frozen=True, slots=True)
class Flat:
    """What flat means for a series: growth over the run of at most this share of its median, or this amount."""

    share: float
    amount: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a series went: its median, and how much it grew from the warm-up to the end by its robust slope."""

    name: str
    median: float
    growth: float
    flat: bool

    @property
    def share(self) -> float:
        """The growth as a part of the median."""
        return self.growth / self.median if self.median else 0.0

    def __str__(self) -> str:
        word = "flat" if self.flat else "GROWS"
        return (
            f"{self.name}: median {self.median:.3g}, growth over the run {self.growth:+.3g} ({self.share:+.1%}): {word}"
        )


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return the median of the slopes between all pairs of points (Theil and Sen): outliers do not move it."""
    step = -(-len(xs) // MAX_POINTS)
    points = list(zip(xs, ys, strict=True))[::step]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0]]
    return statistics.median(slopes) if slopes else 0.0


def judge(name: str, xs: Sequence[float], ys: Sequence[float], flat: Flat) -> Verdict:
    """Judge a series after its warm-up. Times in seconds from its beginning."""
    begin = xs[0] + WARM_UP * (xs[-1] - xs[0])
    kept = [(x, y) for x, y in zip(xs, ys, strict=True) if x >= begin]
    times, values = [x for x, _ in kept], [y for _, y in kept]
    growth = slope(times, values) * (times[-1] - times[0])
    median = statistics.median(values)
    return Verdict(name, median, growth, growth <= max(flat.amount, flat.share * median))
