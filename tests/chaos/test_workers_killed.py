"""Workers and producers that are killed, or held up for longer than a lease."""

import pytest

from tests.chaos.conftest import InjectFaults

FAULTS = (
    "worker killed",
    "process of a worker killed",
    "worker stopped, then at once",
    "worker paused beyond a lease",
    "producer killed",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_reordered_or_repeated_without_need(inject_faults: InjectFaults) -> None:
    inject_faults(41, *FAULTS)
