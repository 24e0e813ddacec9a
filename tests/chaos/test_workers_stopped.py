"""Workers that are stopped, replaced, or misled."""

import pytest

from tests.chaos.conftest import InjectFaults

FAULTS = (
    "worker stopped",
    "worker stopped while requests hang",
    "worker over its memory",
    "clocks of workers jumped by hours",
    "too many open files",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_reordered_or_repeated_without_need(inject_faults: InjectFaults) -> None:
    inject_faults(42, *FAULTS)
