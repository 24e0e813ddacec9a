"""A Redis that is another one afterwards: empty, or a replica that was promoted."""

import pytest

from tests.chaos.conftest import Play

FAULTS = (
    "Redis restarted empty",
    "failed over by Sentinel",
    "scripts flushed",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_overtaken_or_sent_without_need(play: Play) -> None:
    play(44, *FAULTS)
