"""Charts besides the bars of the figures: curves over an axis. Values only; `plots` draws them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Curve:
    """One line; `steps`: a value holds until the next one."""

    label: str
    xs: Sequence[float]
    ys: Sequence[float]
    steps: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves over one axis, with a line across at `level`, named `level_label`, and one down at each of `marks`."""

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    level: float | None = None
    level_label: str = ""
    marks: Sequence[tuple[float, str]] = ()
    log_x: bool = False


def distribution(label: str, values: Iterable[float]) -> Curve:
    """Return which part of the values, in percent, is at most so large."""
    ordered = sorted(values)
    return Curve(label, ordered, [100 * (place + 1) / len(ordered) for place in range(len(ordered))], steps=True)
