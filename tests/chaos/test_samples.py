"""Growth is distinguished from noise; without other processes."""

import os
import random
from pathlib import Path

import pytest

from tests.chaos.samples import Flat, descriptors, judge, megabytes, process_group, slope

TIMES = [float(at) for at in range(0, 900, 5)]
FLAT = Flat(share=0.05, amount=1.0)


def series(growth: float, noise: float) -> list[float]:
    """A series of about 100 that grows by so much over the run, with noise and outliers."""
    chance = random.Random(1)
    return [
        100 + growth * at / TIMES[-1] + chance.gauss(0, noise) + (300 if chance.random() < 0.05 else 0) for at in TIMES
    ]


@pytest.mark.parametrize(("growth", "flat"), [(0, True), (3, True), (12, False), (100, False), (-50, True)])
def test_growth_is_found_through_noise_and_outliers(growth: float, flat: bool) -> None:
    verdict = judge("memory", TIMES, series(growth, noise=1), FLAT)
    assert verdict.flat is flat
    assert verdict.growth == pytest.approx(growth * 0.75, abs=1.5)


def test_the_warm_up_does_not_count() -> None:
    values = [min(at / 2, 100) for at in TIMES]  # full at 200 of 900 seconds
    assert judge("memory", TIMES, values, FLAT).flat
    assert not judge("memory", TIMES, [at / 9 for at in TIMES], FLAT).flat


def test_little_growth_of_a_small_value_is_not_growth() -> None:
    assert judge("descriptors", [0, 100], [10, 10.9], Flat(0.05, 1.0)).flat


def test_a_slope_needs_two_points() -> None:
    assert slope([1.0], [5.0]) == 0.0
    assert slope([0.0, 1.0, 2.0], [0.0, 2.0, 4.0]) == 2.0


def test_a_process_is_measured(tmp_path: Path) -> None:
    own = [os.getpid()]
    before = descriptors(own)
    with (tmp_path / "one").open("w"):
        assert descriptors(own) == before + 1
    assert megabytes(own) > 5
    assert os.getpid() in process_group(os.getpgid(0))
    assert megabytes([2**22 + 1]) == descriptors([2**22 + 1]) == 0
