from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.results import Entry, load, regressions, save

FASTER = Aim(at_least=1.3, baseline="dramatiq")
CHEAPER = Aim(at_most=300)


def figure(ours: list[float], theirs: list[float] | None = None, aim: Aim = FASTER) -> Figure:
    return Figure("drain", "upserts/s", {"lanes": ours, "dramatiq": theirs or [100.0]}, [aim], "everysec")


def entry(*figures: Figure, seconds: float = 60, quick: bool = False) -> Entry:
    return Entry({"cores": "2"}, quick, seconds, list(figures), {"jobs": 3})


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = {"drain": entry(figure([1, 2, 3], aim=Aim(at_most=5, baseline="dramatiq", plus=5)))}
    save(tmp_path / "results.json", results)
    assert load(tmp_path / "results.json") == results
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    assert load(tmp_path / "none.json") == {}


@pytest.mark.parametrize("content", ["", "[]", '{"drain": {}}', '{"drain": 1}'])
def test_a_file_without_results_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(BenchmarkError, match="has no results"):
        load(tmp_path / "results.json")


@pytest.mark.parametrize(
    ("before", "after", "is_worse"),
    [
        (figure([200, 210]), figure([150, 160]), True),
        (figure([200, 210]), figure([195, 205]), False),  # within the spread
        (figure([200, 200]), figure([196, 196]), False),  # within the tolerance
        (figure([200, 210]), figure([300, 310]), False),  # better
        (figure([200, 210], [100]), figure([100, 105], [50]), False),  # a slower machine
        (figure([200, 210], [100]), figure([200, 210], [150, 160]), True),  # a faster machine
        (figure([200, 210], [60, 160]), figure([150, 160], [60, 160]), False),  # the other side's spread
        (figure([250], aim=CHEAPER), figure([290], aim=CHEAPER), True),  # worse, though the aim is met
        (figure([250], aim=CHEAPER), figure([200], aim=CHEAPER), False),
        (figure([0], aim=CHEAPER), figure([1], aim=CHEAPER), True),
        (figure([200]), figure([100], aim=CHEAPER), False),  # another aim
    ],
)
def test_worse_is_what_exceeds_the_noise_of_both(before: Figure, after: Figure, is_worse: bool) -> None:
    assert bool(list(regressions(entry(before), entry(after)))) is is_worse


def test_a_regression_names_what_and_how_much() -> None:
    (line,) = regressions(entry(figure([200])), entry(figure([150])))
    assert line == "drain: upserts/s: 1.50 times dramatiq, was 2.00"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command with two benchmarks of given rates."""

    def run(rates: dict[str, float], *options: str) -> Any:
        def measure(name: str) -> Any:
            if rates[name] < 0:
                raise BenchmarkError("it broke")
            return Findings([figure([rates[name]])], {"jobs": 1})

        monkeypatch.setattr(command, "BENCHMARKS", {name: lambda _, name=name: measure(name) for name in rates})
        monkeypatch.setattr(command, "describe_machine", lambda _: {"cores": "2"})
        return CliRunner().invoke(command.main, ["--into", str(tmp_path / "results.json"), *options])

    return run


def rates(path: Path) -> dict[str, list[float]]:
    return {name: list(one.figures[0].sides["lanes"]) for name, one in load(path / "results.json").items()}


def test_a_run_that_breaks_loses_nothing(run: Any, tmp_path: Path) -> None:
    assert run({"drain": 200, "enqueue": 300}).exit_code == 0
    broken = run({"drain": 210, "enqueue": -1})
    assert broken.exit_code == 1
    assert "it broke" in broken.output
    assert rates(tmp_path) == {"drain": [210], "enqueue": [300]}


def test_it_says_what_became_worse_and_how_long_it_will_take(run: Any) -> None:
    first = run({"drain": 200, "enqueue": 300})
    assert "min left" not in first.output
    assert "WORSE" not in first.output
    second = run({"drain": 100, "enqueue": 300})
    assert "drain: 1 of 2, about 0 min left" in second.output
    worse = [line for line in second.output.splitlines() if line.startswith("WORSE")]
    assert worse == ["WORSE than before by more than noise: drain: upserts/s: 1.00 times dramatiq, was 2.00"]
    assert "nothing is worse" in run({"drain": 100, "enqueue": 300}).output


def test_a_quick_run_is_compared_with_nothing(run: Any) -> None:
    run({"drain": 200})
    quick = run({"drain": 100}, "--quick")
    assert "WORSE" not in quick.output
    assert "WORSE" not in run({"drain": 50}).output
