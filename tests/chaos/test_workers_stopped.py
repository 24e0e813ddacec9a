"""Workers that are stopped, replaced, or misled."""

import pytest

from tests.chaos.conftest import Play

FAULTS = (
    "worker stopped",
    "worker stopped while requests hang",
    "worker over its memory",
    "clocks of workers jumped by hours",
    "too many open files",
)


@pytest.mark.timeout(300)
def test_nothing_is_lost_overtaken_or_sent_without_need(play: Play) -> None:
    play(42, *FAULTS)
