"""The limit, and what is learned of others, around a server in virtual time: the same figures on any machine."""

import pytest

from tests.lanes.conftest import START, ClockedStore
from tests.lanes.rate_limit.simulation import BURST, LIMITS, Server, start

SECONDS = 120.0
WARM = 45.0


@pytest.mark.parametrize("fixed", [False, True], ids=["sliding", "fixed"])
@pytest.mark.parametrize("latency", [(0.05, 0.5), (0.01, 3.0)], ids=["common", "slow"])
def test_alone_it_provokes_no_429_and_wastes_no_more_than_is_safe(
    store: ClockedStore, latency: tuple[float, float], fixed: bool
) -> None:
    simulation = start(store, 1, fixed=fixed, latency=latency)
    simulation.enqueue(1500)
    simulation.run(SECONDS)
    check_alone(simulation.server, latency)


def check_alone(server: Server, latency: tuple[float, float]) -> None:
    assert server.share_refused("lanes", START) == 0
    assert server.max_in_window("lanes") <= BURST
    safe = LIMITS.window / (LIMITS.window + sum(latency) / 2)
    assert server.used(START + 20, START + SECONDS) >= 0.98 * safe


def test_it_is_the_same_with_a_whole_window_in_flight(store: ClockedStore) -> None:
    """With more threads than a window allows requests, and answers that take longer than a window."""
    latency = (8.0, 14.0)
    simulation = start(store, 1, latency=latency, consumers=BURST + 20)
    simulation.enqueue(1500)
    simulation.run(SECONDS)
    check_alone(simulation.server, latency)


@pytest.mark.parametrize("seed", range(3))
def test_with_another_client_the_window_is_full_and_hardly_ever_exceeded(store: ClockedStore, seed: int) -> None:
    """He takes 30 to 60 % of it, another part of it every ten seconds."""
    simulation = start(store, seed)
    simulation.enqueue(1500)
    shares = [simulation.chance.uniform(0.3, 0.6) for _ in range(13)]
    simulation.send_foreign(START + SECONDS, lambda: 10 * shares[int((simulation.now - START) / 10)])
    simulation.run(SECONDS)
    server = simulation.server
    assert server.used(START + WARM, START + SECONDS) >= 0.94
    assert server.share_refused("lanes", START) < 0.01
    assert server.share_refused("other", START + WARM) < 0.1  # who looks at nothing hits a window that is full


def test_when_the_other_client_stops_the_whole_window_is_ours_again(store: ClockedStore) -> None:
    simulation = start(store, 0)
    simulation.enqueue(3000)
    simulation.send_foreign(START + 60, lambda: 5.0)
    simulation.run(180)
    assert simulation.server.used(START + 150, START + 180) >= 0.95
