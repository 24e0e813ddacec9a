"""The lines between producers, Redis, workers and API."""

import pytest

from tests.chaos.conftest import Play

FAULTS = (
    "connections cut",
    "connections refused",
    "connections half open",
    "connections delayed",
    "connections throttled to bytes",
    "replies cut in the middle",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_overtaken_or_sent_without_need(play: Play) -> None:
    play(46, *FAULTS)
