"""A Redis that is there and refuses, or hangs."""

import pytest

from tests.chaos.conftest import Play

FAULTS = (
    "Redis nearly full",
    "Redis at maxmemory",
    "Redis read-only",
    "Redis paused",
    "clients killed",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_overtaken_or_sent_without_need(play: Play) -> None:
    play(45, *FAULTS)
