"""A Redis that is another one afterwards: empty, or a replica that was promoted."""

import pytest

from tests.chaos.conftest import InjectFaults

FAULTS = (
    "Redis restarted empty",
    "failed over by Sentinel",
    "scripts flushed",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_reordered_or_repeated_without_need(inject_faults: InjectFaults) -> None:
    inject_faults(44, *FAULTS)
