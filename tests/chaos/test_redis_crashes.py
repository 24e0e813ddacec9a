"""A Redis that crashes, or whose disk fails, and that comes back."""

import pytest

from tests.chaos.conftest import InjectFaults

FAULTS = (
    "Redis killed",
    "Redis restarted",
    "Redis loading a large file",
    "disk of the append-only file fails",
    "disk full",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_reordered_or_repeated_without_need(inject_faults: InjectFaults) -> None:
    inject_faults(43, *FAULTS)
