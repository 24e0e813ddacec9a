"""No location loses its refresh token as long as two tries in a row are lost at most, however: in virtual time."""

from collections.abc import Iterable
from itertools import product

import pytest

from tests.lanes.conftest import ClockedStore
from tests.worker.tokens.lossy_api import KILLED, NOT_TAKEN, PATTERNS, SCALE, TAKEN, World, renew
from worker.tokens.pace import PACE, Pace

pytestmark = pytest.mark.timeout(600)
# What came before, until the first request that the API may have taken: pauses have grown by then.
BEFORE: dict[str, tuple[str, ...]] = {
    "nobody there": ("refused",) * 6,
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
        world = World(store, (*before, *patterns), PACE)
        if (got := renew(world, idle=idle)) != "at-1":
            lost.append(f"{', '.join(patterns)}: {got}")
    return lost


@pytest.mark.parametrize("idle", [False, True], ids=["wanted", "idle"])
def test_after_any_two_losses_the_third_try_gets_the_pair(store: ClockedStore, idle: bool) -> None:
    assert losses(store, PATTERNS, idle=idle) == []


@pytest.mark.parametrize("before", BEFORE)
def test_so_it_does_when_pauses_have_grown_before_the_first_loss(store: ClockedStore, before: str) -> None:
    assert losses(store, [*TAKEN, *KILLED], BEFORE[before]) == []


@pytest.mark.parametrize("third", PATTERNS)
def test_what_was_not_taken_is_no_loss(store: ClockedStore, third: str) -> None:
    """Two losses among three tries, one of which the API did not take."""
    for harmless in NOT_TAKEN[1:5]:
        for patterns in ((harmless, "answer lost", third), ("answer lost", harmless, third)):
            assert renew(World(store, patterns, PACE)) == "at-1", patterns


def test_past_the_grace_the_refusal_says_what_has_happened(store: ClockedStore) -> None:
    got = renew(World(store, ["answer lost", *["lost before"] * 8], PACE))
    assert got.startswith(
        "refused: the token could not be renewed: no usable answer came to the renewal at 2027-01-15 "
    )
    assert "a person must authorize the app again: lanes token set loc (the API says: invalid_grant" in got
    revoked = World(store, ["lost before"], PACE)
    revoked.generation = 5  # the stored one was revoked meanwhile
    assert renew(revoked) == "refused: the token could not be renewed: invalid_grant: this refresh token is invalid"


def test_an_api_that_fails_for_long_costs_no_more_than_time(store: ClockedStore) -> None:
    for pattern in NOT_TAKEN[:5]:
        world = World(store, [pattern] * 60, PACE)
        assert renew(world) == "at-1"
        assert world.time > 60 * SCALE  # it was not asked all the time


def test_the_times_fit() -> None:
    """The rule that `Pace` states, for every number of failures and every duration of a try."""
    longest = max(PACE.trying + PACE.spare + PACE.asking, PACE.trying + PACE.short + PACE.asking)
    for failures, tenths in product(range(1, 30), range(int(10 * PACE.trying) + 1)):
        took = tenths / 10
        longest = max(longest, took + PACE.pause(failures, took, in_grace=False) + PACE.asking)
    assert longest <= PACE.interval
    assert 2 * PACE.interval + PACE.trying < PACE.grace
    assert [PACE.pause(failures, 0, in_grace=False) for failures in range(1, 8)] == [1, 1, 2, 4, 8, 9, 9]
    old = Pace(grace=0, trying=10, spare=2, asking=5, interval=30)
    assert 2 * (old.trying + old.spare + old.asking) + old.trying > PACE.grace
