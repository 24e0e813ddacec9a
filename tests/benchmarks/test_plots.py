from pathlib import Path

from benchmarks.charts import Chart, distribution
from benchmarks.figures import Aim, Figure, Findings
from benchmarks.plots import draw

SIGNATURE = b"\x89PNG"
FIGURE = Figure(
    "drain",
    "upserts/s",
    {"lanes": [2.0, 3.0], "Celery": [1.0, 1.5]},
    [Aim(at_least=2, baseline="Celery"), Aim(at_least=1)],
)
CHART = Chart("Waits", "seconds", "percent", [distribution("lanes", [1, 2])], 50, "half", marks=[(1.5, "kill")])


def test_curves_and_bars_are_drawn(tmp_path: Path) -> None:
    path = draw("drain", Findings([FIGURE, FIGURE], charts=[CHART]), "2 cores", tmp_path / "new")
    assert path == tmp_path / "new" / "drain.png"
    assert path.read_bytes().startswith(SIGNATURE)


def test_nothing_is_drawn_without_figures_and_charts(tmp_path: Path) -> None:
    assert draw("drain", Findings([Figure("drain", "jobs/s", {"lanes": [1.0]})]), "2 cores", tmp_path) is None
    assert list(tmp_path.iterdir()) == []
