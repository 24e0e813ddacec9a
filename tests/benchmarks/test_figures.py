import pytest

from benchmarks.figures import Aim, Figure, rounded, table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0123, "0.01"),
        (0.59, "0.59"),
        (1.847, "1.85"),
        (17.26, "17.3"),
        (568.4, "568"),
        (13_642.0, "13,600"),
    ],
)
def test_figures_show_what_can_be_believed(value: float, text: str) -> None:
    assert rounded(value) == text


@pytest.mark.parametrize(
    ("aim", "ours", "theirs", "verdict"),
    [
        (Aim(at_least=2, baseline="Celery"), [200.0], [100.0], "met"),
        (Aim(at_least=2, baseline="Celery"), [199.0], [100.0], "missed"),
        (Aim(at_most=0.8, baseline="Celery"), [80.0], [100.0], "met"),
        (Aim(at_most=0.8, baseline="Celery"), [81.0], [100.0], "missed"),
        (Aim(at_most=5, baseline="Celery", plus=5), [30.0], [5.0], "met"),
        (Aim(at_most=5, baseline="Celery", plus=5), [30.1], [5.0], "missed"),
        (Aim(at_most=700), [700.0], [1300.0], "met"),
        (Aim(at_most=700), [701.0], [1300.0], "missed"),
        (Aim(at_least=99), [98.9], [1300.0], "missed"),
        (Aim(at_most=0), [0.0], [0.0], "met"),
    ],
)
def test_an_aim_is_met_or_missed(aim: Aim, ours: list[float], theirs: list[float], verdict: str) -> None:
    figure = Figure("drain", "upserts/s", {"lanes": ours, "Celery": theirs}, [aim])
    assert figure.verdict(aim) == verdict
    lines = table([figure]).splitlines()
    assert lines[1 if aim.baseline is None else 2].endswith(f"{aim}: {verdict}")
    assert not lines[2 if aim.baseline is None else 1].endswith(verdict)


def test_a_side_without_runs_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing was measured of Celery"):
        Figure("drain", "upserts/s", {"lanes": [1.0], "Celery": []})


def test_an_aim_without_its_baseline_is_an_error() -> None:
    with pytest.raises(ValueError, match="was not measured"):
        Figure("drain", "upserts/s", {"lanes": [1.0]}, [Aim(at_least=2, baseline="Celery")])


def test_a_ratio_is_that_of_the_medians() -> None:
    figure = Figure("drain", "upserts/s", {"lanes": [100.0, 30.0, 20.0], "Celery": [10.0, 15.0, 90.0], "none": [0.0]})
    assert figure.ratio("Celery") == 2.0
    assert figure.ratio("lanes") is None
    assert figure.ratio("none") is None
    sides = figure.as_json()["sides"]
    assert sides["lanes"] == {
        "median": 30.0,
        "at_least": 20.0,
        "at_most": 100.0,
        "runs": [100.0, 30.0, 20.0],
        "ratio": None,
    }
    assert sides["Celery"]["ratio"] == 2.0


def test_an_aim_is_shown_beside_the_best() -> None:
    figure = Figure("drain", "upserts/s", {"lanes": [5.0], "few": [1.0], "many": [3.0]})
    assert figure.best(["few", "many"], largest=True) == "many"
    assert figure.best(["few", "many"], largest=False) == "few"


def test_numbers_end_under_their_heading() -> None:
    heading, *lines = table(
        [
            Figure(
                "enqueue",
                "jobs/s",
                {"lanes": [12_345.0], "apply_async": [789.0]},
                [Aim(at_least=10, baseline="apply_async")],
            ),
            Figure("drain", "CPU ms per upsert", {"lanes": [0.6, 0.7], "one task per upsert": [1.85, 1.9]}),
        ]
    ).splitlines()
    end = heading.index("lanes to it") + len("lanes to it")
    assert [line[:end].rstrip().endswith("x") for line in lines] == [False, True, False, True]
    assert [line[:end].endswith("x") for line in lines] == [False, True, False, True]
    assert "1.85 - 1.90" in lines[3]
