"""The lines between producers, Redis, workers and API."""

import pytest

from tests.chaos.conftest import InjectFaults

FAULTS = (
    "connections cut",
    "connections refused",
    "connections half open",
    "connections delayed",
    "connections throttled to bytes",
    "replies cut in the middle",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_reordered_or_repeated_without_need(inject_faults: InjectFaults) -> None:
    inject_faults(46, *FAULTS)
