"""What a benchmark found: figures side by side, and whether they reach what was aimed at. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


class BenchmarkError(Exception):
    """A benchmark cannot be trusted: a part failed, or the counts are wrong."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure should reach: a ratio to the other side, or a value of our own; at least, or at most."""

    ratio: float | None = None
    most: float | None = None

    def met(self, ours: float, ratio: float) -> bool:
        """Whether the figures reach it."""
        return (self.ratio is None or ratio >= self.ratio) and (self.most is None or ours <= self.most)

    def __str__(self) -> str:
        return f">= {self.ratio:g}x" if self.ratio is not None else f"<= {self.most:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: the medians of the runs of both sides, and their ratio (ours to theirs)."""

    benchmark: str
    measured: str
    ours: Sequence[float]
    beside: str
    theirs: Sequence[float]
    aim: Aim | None = None

    @property
    def ratio(self) -> float:
        """How many times theirs ours is."""
        return median(self.ours) / median(self.theirs)

    @property
    def verdict(self) -> str:
        """`met` or `missed`, and nothing where nothing was aimed at."""
        if self.aim is None:
            return ""
        return "met" if self.aim.met(median(self.ours), self.ratio) else "missed"

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, with every run."""
        return {
            "benchmark": self.benchmark,
            "measured": self.measured,
            "lanes": median(self.ours),
            "beside": self.beside,
            "celery": median(self.theirs),
            "ratio": self.ratio,
            "aim": str(self.aim) if self.aim else None,
            "verdict": self.verdict or None,
            "runs": {"lanes": list(self.ours), "celery": list(self.theirs)},
        }


@dataclass(frozen=True, slots=True)
class Findings:
    """The figures of one benchmark, and counts by which it can be checked."""

    figures: list[Figure]
    counts: dict[str, Any] = field(default_factory=dict)


def rounded(value: float) -> str:
    """Return a figure as far as it can be believed: three digits, thousands apart."""
    digits = 3 - len(str(int(abs(value)))) if abs(value) >= 1 else 2
    return f"{round(value, digits):,.{max(digits, 0)}f}"


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as aligned columns."""
    lines = [("benchmark", "measured", "lanes", "Celery", "ratio", "beside", "aim")]
    lines += [
        (
            figure.benchmark,
            figure.measured,
            rounded(median(figure.ours)),
            rounded(median(figure.theirs)),
            f"{rounded(figure.ratio)}x",
            figure.beside,
            f"{figure.aim}: {figure.verdict}" if figure.aim else "",
        )
        for figure in figures
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numbers = range(2, 5)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
