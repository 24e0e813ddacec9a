"""What a benchmark found: figures side by side, and whether they reach what was aimed at. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.charts import Chart


class BenchmarkError(Exception):
    """A benchmark cannot be trusted: a part failed, or the counts are wrong."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What our side should reach: a value, or a multiple of what `baseline` has; at least, or at most."""

    at_least: float | None = None
    at_most: float | None = None
    baseline: str | None = None

    def met(self, value: float) -> bool:
        """Whether a value, or a ratio, reaches it."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        bound = f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"
        return bound if self.baseline is None else f"{bound}x"


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured, with its unit: every run of every side. The first side is ours.

    Raises:
        ValueError: a side has no runs, or an aim names a side that is not there.
    """

    benchmark: str
    measured: str
    sides: Mapping[str, Sequence[float]]
    aims: Sequence[Aim] = ()

    def __post_init__(self) -> None:
        if missing := [side for side, runs in self.sides.items() if not runs]:
            message = f"{self.measured}: nothing was measured of {', '.join(missing)}"
            raise ValueError(message)
        for aim in self.aims:
            if aim.baseline is not None and aim.baseline not in self.sides:
                message = f"{self.measured}: an aim beside {aim.baseline!r}, which was not measured"
                raise ValueError(message)

    @property
    def ours(self) -> str:
        """The name of our side."""
        return next(iter(self.sides))

    def value(self, side: str) -> float:
        """The median of the runs of a side."""
        return median(self.sides[side])

    def ratio(self, side: str) -> float | None:
        """How many times a side's value ours is; None for our own, and where one of both is 0."""
        if side == self.ours or not self.value(side) or not self.value(self.ours):
            return None
        return self.value(self.ours) / self.value(side)

    def verdict(self, aim: Aim) -> str:
        """`met` or `missed`."""
        value = self.value(self.ours) if aim.baseline is None else self.ratio(aim.baseline)
        return "met" if value is not None and aim.met(value) else "missed"

    def best(self, sides: Sequence[str], *, largest: bool) -> str:
        """Return which of these sides has the best value: an aim stands beside no weaker one."""
        return max(sides, key=lambda side: self.value(side) if largest else -self.value(side))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, with every run."""
        return {
            "benchmark": self.benchmark,
            "measured": self.measured,
            "sides": {
                side: {
                    "median": self.value(side),
                    "at_least": min(runs),
                    "at_most": max(runs),
                    "runs": list(runs),
                    "ratio": self.ratio(side),
                }
                for side, runs in self.sides.items()
            },
            "aims": [{"aim": str(aim), "baseline": aim.baseline, "verdict": self.verdict(aim)} for aim in self.aims],
        }


@dataclass(frozen=True, slots=True)
class Findings:
    """The figures of one benchmark, its charts, and counts to check it."""

    figures: list[Figure]
    counts: dict[str, Any] = field(default_factory=dict)
    charts: list[Chart] = field(default_factory=list)


def rounded(value: float) -> str:
    """Return a figure as far as it can be believed: three digits, thousands apart."""
    if not value:
        return "0"
    digits = 3 - len(str(int(abs(value)))) if abs(value) >= 1 else 2
    return f"{round(value, digits):,.{max(digits, 0)}f}"


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as aligned columns, a line for each side."""
    lines: list[tuple[str, ...]] = [("benchmark", "measured", "side", "median", "least - most", "lanes to it", "aim")]
    lines += [_line(figure, side) for figure in figures for side in figure.sides]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numbers = range(3, 6)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _line(figure: Figure, side: str) -> tuple[str, ...]:
    """Return one side; what is measured stands on the first, an aim on the side that it is about."""
    ours, runs, ratio = side == figure.ours, figure.sides[side], figure.ratio(side)
    aims = [aim for aim in figure.aims if (ours if aim.baseline is None else aim.baseline == side)]
    return (
        figure.benchmark if ours else "",
        figure.measured if ours else "",
        side,
        rounded(figure.value(side)),
        f"{rounded(min(runs))} - {rounded(max(runs))}" if len(runs) > 1 else "",
        "" if ratio is None else f"{rounded(ratio)}x",
        "; ".join(f"{aim}: {figure.verdict(aim)}" for aim in aims),
    )
