import pytest

from benchmarks.figures import Aim, Figure, rounded, table


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.01"), (0.59, "0.59"), (1.847, "1.85"), (17.26, "17.3"), (568.4, "568"), (13_642.0, "13,600")],
)
def test_figures_show_what_can_be_believed(value: float, text: str) -> None:
    assert rounded(value) == text


@pytest.mark.parametrize(
    ("aim", "ours", "theirs", "verdict"),
    [
        (Aim(ratio=2), [200.0], [100.0], "met"),
        (Aim(ratio=2), [199.0], [100.0], "missed"),
        (Aim(most=700), [700.0], [1300.0], "met"),
        (Aim(most=700), [701.0], [1300.0], "missed"),
        (None, [1.0], [1300.0], ""),
    ],
)
def test_an_aim_is_met_or_plainly_missed(aim: Aim | None, ours: list[float], theirs: list[float], verdict: str) -> None:
    figure = Figure("drain", "upserts/s", ours, "Celery", theirs, aim)
    assert figure.verdict == verdict
    assert table([figure]).splitlines()[1].endswith(f"{aim}: {verdict}" if aim else "Celery")


def test_a_ratio_is_that_of_the_medians() -> None:
    figure = Figure("drain", "upserts/s", [100.0, 30.0, 20.0], "Celery", [10.0, 15.0, 90.0])
    assert figure.ratio == 2.0
    assert figure.as_json()["runs"] == {"lanes": [100.0, 30.0, 20.0], "celery": [10.0, 15.0, 90.0]}


def test_numbers_end_under_their_heading() -> None:
    heading, *lines = table(
        [
            Figure("enqueue", "jobs/s", [12_345.0], "apply_async", [789.0], Aim(ratio=10)),
            Figure("drain", "CPU ms per upsert", [0.6], "one task per upsert", [1.85]),
        ]
    ).splitlines()
    end = heading.index("ratio") + len("ratio")
    assert [line[:end].endswith("x") for line in lines] == [True, True]
