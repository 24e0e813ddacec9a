"""Workers and producers that are killed, or held up for longer than a lease."""

import pytest

from tests.chaos.conftest import Play

FAULTS = (
    "worker killed",
    "process of a worker killed",
    "worker stopped, then at once",
    "worker paused beyond a lease",
    "producer killed",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_overtaken_or_sent_without_need(play: Play) -> None:
    play(41, *FAULTS)
