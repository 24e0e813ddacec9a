"""Several faults at once; and the short form knows every fault."""

import importlib
from collections.abc import Sequence
from typing import cast

import pytest

from tests.chaos import faults
from tests.chaos.conftest import InjectFaults

FILES = ("workers_killed", "workers_stopped", "redis_crashes", "redis_replaced", "redis_refuses", "connections", "api")


def test_the_short_form_has_every_fault_once() -> None:
    modules = [importlib.import_module(f"tests.chaos.test_{file}") for file in FILES]
    named = [name for module in modules for name in cast("Sequence[str]", module.FAULTS)]
    assert sorted(named) == sorted(faults.FAULTS)


@pytest.mark.timeout(300)
def test_faults_at_once(inject_faults: InjectFaults) -> None:
    evidence = inject_faults(
        48, "Redis killed", "API never answers", "connections half open", "worker killed", together=1
    )
    overlapping = [
        (one.name, other.name)
        for one in evidence.injected
        for other in evidence.injected
        if one.began_at < other.began_at < one.ended_at
    ]
    assert overlapping
