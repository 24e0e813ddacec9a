"""The short form of the chaos suite: a small scene, a few faults, the whole account."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.checks import violations
from tests.chaos.evidence import Evidence
from tests.chaos.faults import FAULTS, Planned, rounds
from tests.chaos.run import Run
from tests.chaos.scene import Scene

SECONDS = 600.0  # far more than the few rounds take
CALM_SECONDS = 1.0
MAY_END_A_WORKER = {"too many open files"}  # Celery takes that for beyond repair

Play = Callable[..., Evidence]


def once_each(seed: int, names: Sequence[str], together: float) -> Iterator[list[Planned]]:
    """Yield rounds until each fault has been once, each as short as it may be."""
    left = set(names)
    for round_ in rounds(seed, names, together):
        yield [replace(one, after=one.after / 3, seconds=FAULTS[one.name].least) for one in round_]
        left -= {planned.name for planned in round_}
        if not left:
            return


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Inject these faults, one after the other or `together`, and see that nothing is wrong afterwards."""

    def play(seed: int, *names: str, together: float = 0) -> Evidence:
        missing = {name: why for name in names if (why := FAULTS[name].missing())}
        usable = [name for name in names if name not in missing]
        if not usable:
            pytest.skip(f"cannot be injected here: {missing}")
        print(f"seed {seed}; left out: {missing or 'nothing'}")
        with Scene(tmp_path, seed, ["w1", "w2"], ["p1"], rate=50, small_disk="disk full" in usable) as scene:
            run = Run(scene, calm=CALM_SECONDS)
            run.play(once_each(seed, usable, together), SECONDS)
            evidence = run.finish()
        wrong = [*violations(evidence), *run.stuck]
        if scene.deaths and not set(usable) & MAY_END_A_WORKER:
            wrong.append(f"died: {scene.deaths} workers, of a fault that they should live through")
        assert not wrong, "\n".join(wrong)
        assert {one.name for one in evidence.injected} == set(usable)
        return evidence

    return play
