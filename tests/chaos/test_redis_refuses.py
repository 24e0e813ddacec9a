"""A Redis that is there and refuses, or hangs."""

import pytest

from tests.chaos.conftest import InjectFaults

FAULTS = (
    "Redis nearly full",
    "Redis at maxmemory",
    "Redis read-only",
    "Redis paused",
    "clients killed",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_reordered_or_repeated_without_need(inject_faults: InjectFaults) -> None:
    inject_faults(45, *FAULTS)
