"""Ten times more than may be sent: back-pressure, nothing lost, and recovery without help."""

from pathlib import Path

import pytest

from tests.chaos.environment import LEASE, Environment
from tests.chaos.overload import OVERLOAD_FACTOR, overload
from tests.chaos.traffic import LOCATIONS

BURST = 8  # requests of a location in a second


@pytest.mark.timeout(300)
def test_producers_are_held_back_and_nothing_is_lost(tmp_path: Path) -> None:
    rate = OVERLOAD_FACTOR * BURST * len(LOCATIONS) / 2
    with Environment(tmp_path, 5, ["w1", "w2"], rate=rate, burst_limit=BURST, retention_seconds=LEASE) as environment:
        came = overload(environment)
    assert not came.wrong, "\n".join(came.wrong[:20])
    assert set(came.refusals) <= {"RedisUnavailableError", "EnqueueFailedError", "EnqueueInterruptedError"}
    assert came.delivered_while_full > 0
