"""Draws what the benchmarks found: one PNG for each, its curves first, then a panel of bars for each figure."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from benchmarks.charts import Chart
from benchmarks.figures import Figure, Findings, rounded

COLUMNS = 2
PANEL_WIDTH = 7.0  # inches
CHART_HEIGHT = 3.8
BAR_HEIGHT, BARS_MARGIN = 0.38, 1.1
DOTS_PER_INCH = 110
OURS, OTHER_SIDES, AIM = "#1667a8", "#b4b9be", "#c43c2c"
CURVES = (OURS, "#e07b22", "#7a4fa3", "#5c9a4a", "#8a8f94", "#c43c2c")


def draw(name: str, findings: Findings, caption: str, folder: Path) -> Path | None:
    """Draw one benchmark into `<folder>/<name>.png`, with the machine under it; None when there is nothing to draw."""
    figures = [figure for figure in findings.figures if len(figure.sides) > 1]
    panels: list[Chart | Figure] = [*findings.charts, *figures]
    if not panels:
        return None
    rows = [panels[start : start + COLUMNS] for start in range(0, len(panels), COLUMNS)]
    heights = [max(map(_height, row)) for row in rows]
    columns = min(COLUMNS, len(panels))
    canvas = Canvas(figsize=(PANEL_WIDTH * columns, sum(heights) + 0.6), layout="constrained")
    grid = canvas.add_gridspec(len(rows), columns, height_ratios=heights)
    for at, row in enumerate(rows):
        for place, panel in enumerate(row):
            axes = canvas.add_subplot(grid[at, place])
            if isinstance(panel, Chart):
                _draw_chart(axes, panel)
            else:
                _draw_bars(axes, panel)
    canvas.suptitle(f"{name}: {caption}", fontsize=9, color="#555555")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    canvas.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
    return path


def _height(panel: Chart | Figure) -> float:
    return CHART_HEIGHT if isinstance(panel, Chart) else BARS_MARGIN + BAR_HEIGHT * len(panel.sides)


def _draw_chart(axes: Axes, chart: Chart) -> None:
    for place, curve in enumerate(chart.curves):
        style = "steps-post" if curve.steps else "default"
        color = CURVES[place % len(CURVES)]
        axes.plot(curve.xs, curve.ys, label=curve.label, color=color, drawstyle=style, linewidth=1.5)
    if chart.level is not None:
        axes.axhline(chart.level, color=AIM, linestyle="--", linewidth=1.2, label=chart.level_label)
    for at, label in chart.marks:
        axes.axvline(at, color="#555555", linestyle=":", linewidth=1.2)
        axes.annotate(label, (at, 0.97), xycoords=("data", "axes fraction"), fontsize=8, rotation=90, va="top")
    if chart.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.tick_params(axis="x", which="both", labelsize=8)
    axes.set_ylim(bottom=0)
    axes.set_title(chart.title, fontsize=11)
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def _draw_bars(axes: Axes, figure: Figure) -> None:
    """Draw the median of each side, our own on top, with a line from its least run to its most."""
    sides = list(figure.sides)
    values = [figure.value(side) for side in sides]
    reach = None
    if any(len(runs) > 1 for runs in figure.sides.values()):
        pairs = list(zip(sides, values, strict=True))
        below = [value - min(figure.sides[side]) for side, value in pairs]
        reach = [below, [max(figure.sides[side]) - value for side, value in pairs]]
    colors = [OURS if side == figure.ours else OTHER_SIDES for side in sides]
    places = range(len(sides))
    axes.barh(places, values, xerr=reach, color=colors, error_kw={"elinewidth": 1, "capsize": 3})
    axes.set_yticks(places, sides, fontsize=8)
    axes.invert_yaxis()
    largest = max(max(figure.sides[side]) for side in sides)
    for place, side in enumerate(sides):
        at = max(figure.sides[side]) + 0.01 * largest
        axes.annotate(rounded(values[place]), (at, place), fontsize=8, va="center")
    _draw_aims(axes, figure)
    axes.set_xlim(0, 1.14 * (largest or 1))
    axes.set_title(f"{figure.measured} (appendfsync {figure.redis})", fontsize=10)
    axes.set_axisbelow(True)
    axes.grid(axis="x", alpha=0.3)


def _draw_aims(axes: Axes, figure: Figure) -> None:
    """Draw the aims: a value as it is, a ratio multiplied by the value of its side."""
    for aim in figure.aims:
        axes.axvline(
            figure.bound(aim), color=AIM, linestyle="--", linewidth=1.2, label=f"aim {aim}: {figure.verdict(aim)}"
        )
    if figure.aims:
        axes.legend(fontsize=7, loc="lower right")
