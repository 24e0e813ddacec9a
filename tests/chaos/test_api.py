"""An API that is slow, falls silent, fails, throttles, or repeats itself."""

import pytest

from tests.chaos.conftest import InjectFaults

FAULTS = (
    "API slow",
    "API resets",
    "API never answers",
    "API answers 5xx",
    "API answers 429",
    "API answers twice",
    "API sends early hints",
    "API sends more than an answer",
    "API shows a maintenance page",
    "API answers half a body",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_reordered_or_repeated_without_need(inject_faults: InjectFaults) -> None:
    inject_faults(47, *FAULTS)
