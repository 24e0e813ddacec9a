"""What a benchmark found: figures side by side, and whether they reach what was aimed at. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from statistics import median
from typing import Any

from benchmarks.charts import Chart


class BenchmarkError(Exception):
    """A benchmark cannot be trusted: a part failed, or the counts are wrong."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What our side should reach, at least or at most: a value, or a multiple of what `baseline` has `plus` a value."""

    at_least: float | None = None
    at_most: float | None = None
    baseline: str | None = None
    plus: float = 0.0

    @property
    def bound(self) -> float:
        """The value, or the multiple."""
        return (self.at_most or 0.0) if self.at_least is None else self.at_least

    @property
    def larger_is_better(self) -> bool:
        """Whether it is a least value."""
        return self.at_least is not None

    def value(self, baseline: float | None) -> float:
        """Return the value to reach, in the unit of the figure; `baseline` is that side's value."""
        return self.bound * (1.0 if baseline is None else baseline) + self.plus

    def __str__(self) -> str:
        bound = f"{'>=' if self.larger_is_better else '<='} {self.bound:g}"
        return bound + ("" if self.baseline is None else "x") + (f" + {self.plus:g}" if self.plus else "")


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured, with its unit: every run of every side. The first side is ours.

    `redis` is the `appendfsync` of the Redis of every side. A side on another one has that in its name.

    Raises:
        ValueError: a side has no runs, or an aim names a side that is not there.
    """

    benchmark: str
    measured: str
    sides: Mapping[str, Sequence[float]]
    aims: Sequence[Aim] = ()
    redis: str = "always"

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
        value, bound = self.value(self.ours), self.bound(aim)
        return "met" if (value >= bound if aim.larger_is_better else value <= bound) else "missed"

    def bound(self, aim: Aim) -> float:
        """Return what an aim asks for, in the unit of the figure."""
        return aim.value(None if aim.baseline is None else self.value(aim.baseline))

    def best(self, sides: Sequence[str], *, largest: bool) -> str:
        """Return which of these sides has the best value: an aim stands beside no weaker one."""
        return max(sides, key=lambda side: self.value(side) if largest else -self.value(side))

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, with every run."""
        return {
            "benchmark": self.benchmark,
            "measured": self.measured,
            "redis": self.redis,
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
            "aims": [{**asdict(aim), "aim": str(aim), "verdict": self.verdict(aim)} for aim in self.aims],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Figure":
        """Return the figure of which these are the plain values."""
        names = [one.name for one in fields(Aim)]
        sides = {side: found["runs"] for side, found in stored["sides"].items()}
        aims = [Aim(**{name: aim[name] for name in names}) for aim in stored["aims"]]
        return cls(stored["benchmark"], stored["measured"], sides, aims, stored["redis"])


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
    lines: list[tuple[str, ...]] = [
        ("benchmark", "measured", "Redis", "side", "median", "least - most", "lanes to it", "aim")
    ]
    lines += [_line(figure, side) for figure in figures for side in figure.sides]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numbers = range(4, 7)
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
        figure.redis if ours else "",
        side,
        rounded(figure.value(side)),
        f"{rounded(min(runs))} - {rounded(max(runs))}" if len(runs) > 1 else "",
        "" if ratio is None else f"{rounded(ratio)}x",
        "; ".join(f"{aim}: {figure.verdict(aim)}" for aim in aims),
    )
