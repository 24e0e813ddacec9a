"""No location loses its refresh token if at most two tries in a row are lost, in any way; in virtual time."""

from collections.abc import Iterable
from itertools import product

import pytest

from tests.lanes.conftest import ClockedStore
from tests.worker.tokens.lossy_api import KILLED, NOT_TAKEN, PATTERNS, SCALE, TAKEN, World, renew
from worker.tokens.renewal_timing import RENEWAL_TIMING, RenewalTiming

pytestmark = pytest.mark.timeout(600)
# What came before, until the first request that the API may have taken: pauses have grown by then.
BEFORE: dict[str, tuple[str, ...]] = {
    "no listener": ("refused",) * 6,
    "failures": ("503",) * 6,
    "silence": ("lost before",) * 4,
}


@pytest.fixture
def store(redis_url: str) -> ClockedStore:
    return ClockedStore(redis_url)


def losses(store: ClockedStore, first: Iterable[str], before: tuple[str, ...] = (), *, idle: bool = False) -> list[str]:
    """Return every pattern of two lost tries after which the third one did not get the pair."""
    lost = []
    for patterns in product(first, PATTERNS):
        world = World(store, (*before, *patterns), RENEWAL_TIMING)
        if (got := renew(world, idle=idle)) != "at-1":
            lost.append(f"{', '.join(patterns)}: {got}")
    return lost


@pytest.mark.parametrize("idle", [False, True], ids=["wanted", "idle"])
def test_after_any_two_losses_the_third_attempt_gets_the_pair(store: ClockedStore, idle: bool) -> None:
    assert losses(store, PATTERNS, idle=idle) == []


@pytest.mark.parametrize("before", BEFORE)
def test_after_long_pauses_the_third_attempt_gets_the_pair_too(store: ClockedStore, before: str) -> None:
    assert losses(store, [*TAKEN, *KILLED], BEFORE[before]) == []


@pytest.mark.parametrize("third", PATTERNS)
def test_a_request_not_taken_is_no_loss(store: ClockedStore, third: str) -> None:
    """Two losses among three tries, one of which the API did not take."""
    for harmless in NOT_TAKEN[1:5]:
        for patterns in ((harmless, "answer lost", third), ("answer lost", harmless, third)):
            assert renew(World(store, patterns, RENEWAL_TIMING)) == "at-1", patterns


def test_past_the_grace_period_the_refusal_explains_the_loss(store: ClockedStore) -> None:
    got = renew(World(store, ["answer lost", *["lost before"] * 8], RENEWAL_TIMING))
    assert got.startswith(
        "refused: the token could not be renewed: no usable answer came to the renewal at 2027-01-15T"
    )
    assert "a person must authorize the app again: lanes token set loc (the API says: invalid_grant" in got
    revoked = World(store, ["lost before"], RENEWAL_TIMING)
    revoked.generation = 5  # the stored one was revoked meanwhile
    assert renew(revoked) == "refused: the token could not be renewed: invalid_grant: this refresh token is invalid"


def test_an_api_that_fails_for_long_costs_no_more_than_time(store: ClockedStore) -> None:
    for pattern in NOT_TAKEN[:5]:
        world = World(store, [pattern] * 60, RENEWAL_TIMING)
        assert renew(world) == "at-1"
        assert world.time > 60 * SCALE  # it was not asked all the time


def test_the_times_fit() -> None:
    """The rule that `RenewalTiming` states, for every number of failures and every duration of a try."""
    longest = max(
        RENEWAL_TIMING.attempt_seconds + RENEWAL_TIMING.margin + RENEWAL_TIMING.poll_seconds,
        RENEWAL_TIMING.attempt_seconds + RENEWAL_TIMING.min_pause + RENEWAL_TIMING.poll_seconds,
    )
    for failures, tenths in product(range(1, 30), range(int(10 * RENEWAL_TIMING.attempt_seconds) + 1)):
        took = tenths / 10
        longest = max(
            longest, took + RENEWAL_TIMING.pause(failures, took, in_grace=False) + RENEWAL_TIMING.poll_seconds
        )
    assert longest <= RENEWAL_TIMING.interval
    assert 2 * RENEWAL_TIMING.interval + RENEWAL_TIMING.attempt_seconds < RENEWAL_TIMING.grace
    assert [RENEWAL_TIMING.pause(failures, 0, in_grace=False) for failures in range(1, 8)] == [1, 1, 2, 4, 8, 9, 9]
    old = RenewalTiming(grace=0, attempt_seconds=10, margin=2, poll_seconds=5, interval=30)
    assert 2 * (old.attempt_seconds + old.margin + old.poll_seconds) + old.attempt_seconds > RENEWAL_TIMING.grace
