"""`results.json`: what the last run of each benchmark found, and what a new run finds worse."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self

from benchmarks.figures import Aim, BenchmarkError, Figure, rounded

RESULTS = Path(__file__).with_name("results.json")
# Two runs of the same code may differ by this, even if the runs of each are closer to each other.
TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Entry:
    """One benchmark: the machine, whether its sizes were too small to mean anything, its seconds and its figures."""

    machine: Mapping[str, str]
    quick: bool
    seconds: float
    figures: Sequence[Figure]
    counts: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "machine": dict(self.machine),
            "quick": self.quick,
            "seconds": round(self.seconds, 1),
            "counts": dict(self.counts),
            "figures": [figure.as_json() for figure in self.figures],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the entry of which these are the plain values."""
        figures = [Figure.from_json(one) for one in stored["figures"]]
        return cls(stored["machine"], stored["quick"], stored["seconds"], figures, stored["counts"])


Results = dict[str, Entry]


def load(path: Path) -> Results:
    """Return the results in a file, none if there is no file.

    Raises:
        BenchmarkError: the file cannot be read.
    """
    if not path.exists():
        return {}
    try:
        stored = json.loads(path.read_text("utf-8"))
        return {name: Entry.from_json(entry) for name, entry in stored.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{path} has no results: {error!r}"
        raise BenchmarkError(message) from None


def save(path: Path, results: Results) -> None:
    """Replace the file in one step, so that a run that breaks leaves the old or the new one."""
    written = path.with_name(path.name + ".new")
    content = {name: entry.as_json() for name, entry in results.items()}
    written.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    written.replace(path)


def regressions(before: Entry, after: Entry) -> Iterator[str]:
    """Yield a line for each figure with an aim that is worse than before by more than its noise.

    A figure with a baseline is compared by its ratio to it, so that the speed of the machine does not matter. Noise is
    the spread of the runs of both sides: the intervals of both results do not overlap, and the medians differ by more
    than `TOLERANCE`.
    """
    known = {(figure.measured, aim.baseline): (figure, aim) for figure in before.figures for aim in figure.aims}
    for figure in after.figures:
        for aim in figure.aims:
            if earlier := known.get((figure.measured, aim.baseline)):
                was, now = _Interval.of(*earlier), _Interval.of(figure, aim)
                if now.is_worse_than(was, larger_is_better=aim.larger_is_better):
                    of = "" if aim.baseline is None else f" times {aim.baseline}"
                    yield f"{figure.benchmark}: {figure.measured}: {rounded(now.middle)}{of}, was {rounded(was.middle)}"


@dataclass(frozen=True, slots=True)
class _Interval:
    """The least, the median and the greatest value that the runs allow."""

    least: float
    middle: float
    greatest: float

    @classmethod
    def of(cls, figure: Figure, aim: Aim) -> Self:
        """Return the interval of our side, or of its ratio to the baseline."""
        ours = figure.sides[figure.ours]
        theirs = [1.0] if aim.baseline is None else [value or 1e-9 for value in figure.sides[aim.baseline]]
        return cls(min(ours) / max(theirs), median(ours) / median(theirs), max(ours) / min(theirs))

    def is_worse_than(self, other: Self, *, larger_is_better: bool) -> bool:
        """Whether it is beyond the other, and by more than the tolerance."""
        if larger_is_better:
            return self.greatest < other.least and self.middle < other.middle * (1 - TOLERANCE)
        return self.least > other.greatest and self.middle > other.middle * (1 + TOLERANCE)
