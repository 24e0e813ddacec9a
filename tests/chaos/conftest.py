"""The short form of the chaos suite: a small environment, a few faults, and all checks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.checks import violations
from tests.chaos.environment import Environment
from tests.chaos.evidence import Evidence
from tests.chaos.faults import FAULTS, Planned, rounds
from tests.chaos.run import Run

SECONDS = 600.0  # far more than the few rounds take
CALM_SECONDS = 1.0

InjectFaults = Callable[..., Evidence]


def once_each(seed: int, names: Sequence[str], together: float) -> Iterator[list[Planned]]:
    """Yield rounds until each fault has been once, each as short as it may be."""
    left = set(names)
    for round_ in rounds(seed, names, together):
        yield [replace(one, after=one.after / 3, seconds=FAULTS[one.name].min_seconds) for one in round_]
        left -= {planned.name for planned in round_}
        if not left:
            return


@pytest.fixture
def inject_faults(tmp_path: Path) -> InjectFaults:
    """Inject these faults, one after the other or `together`, and see that nothing is wrong afterwards."""

    def inject_faults(seed: int, *names: str, together: float = 0) -> Evidence:
        missing = {name: why for name in names if (why := FAULTS[name].missing())}
        usable = [name for name in names if name not in missing]
        if not usable:
            pytest.skip(f"cannot be injected here: {missing}")
        print(f"seed {seed}; not tried: {missing or 'none'}")
        with Environment(
            tmp_path, seed, ["w1", "w2"], ["p1"], rate=50, small_disk="disk full" in usable
        ) as environment:
            run = Run(environment, calm=CALM_SECONDS)
            run.inject_faults(once_each(seed, usable, together), SECONDS)
            evidence = run.finish()
        wrong = [*violations(evidence), *run.stuck]
        assert not wrong, "\n".join(wrong)
        assert run.not_tried == []
        assert {one.name for one in evidence.injected} == set(usable)
        return evidence

    return inject_faults
