"""A Redis that dies, of itself or of its disk, and comes back."""

import pytest

from tests.chaos.conftest import Play

FAULTS = (
    "Redis killed",
    "Redis restarted",
    "Redis loading a large file",
    "disk of the append-only file fails",
    "disk full",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_overtaken_or_sent_without_need(play: Play) -> None:
    play(43, *FAULTS)
