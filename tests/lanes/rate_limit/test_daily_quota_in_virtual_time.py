"""The account of the day, around a server in virtual time that counts in any order and loses what it likes."""

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanes.queue.transitions import AttemptReport, DefaultLimits, RateLimitInfo
from tests.lanes.conftest import ClockedStore
from tests.lanes.rate_limit.simulation import LIMITS, Losses, Server, Simulation, start
from tests.lanes.simulated_workers import deliver, fill, release_job

LATENCIES = ((0.05, 0.5), (0.01, 3.0), (2.0, 2.0), (0.01, 12.0))
SOME = Losses(requests=0.05, answers=0.05, deaths=0.3)
MANY = Losses(requests=0.2, answers=0.1, deaths=0.1)


def day_used(store: ClockedStore) -> int:
    return store.lanes()[0].day_used


def test_alone_all_200_of_a_day_of_200_are_sent(store: ClockedStore) -> None:
    server = Server(daily=200)
    simulation = start(store, 1, server=server, latency=(0.05, 1.0))
    simulation.enqueue(260)
    simulation.run(600)
    assert (server.day_used, server.day_refused["lanes"]) == (200, 0)
    assert day_used(store) == 200


def test_once_all_is_answered_the_count_is_the_servers(store: ClockedStore) -> None:
    server = Server(daily=100_000)
    simulation = start(store, 2, server=server, latency=(0.05, 4.0), consumers=90)
    simulation.enqueue(2000)
    simulation.run(600)
    assert (server.day_used, day_used(store)) == (2000, 2000)


def check_as_it_goes(store: ClockedStore, simulation: Simulation) -> None:
    """Never less is shown than the server counted, and no more beyond it than is out, or of unknown fate."""
    server, requests = simulation.server, simulation.requests

    def look() -> None:
        lanes = store.lanes()
        shown = lanes[0].day_used if lanes else 0
        assert 0 <= shown - server.day_used <= len(requests.out) + requests.unknown, (shown, server.day_used)

    simulation.look = look


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10**6),
    latency=st.sampled_from(LATENCIES),
    daily=st.sampled_from((1, 2, 7, 60, 130, 250)),
    losses=st.sampled_from((Losses(), SOME, MANY)),
    consumers=st.sampled_from((1, 8, 40)),
    resets=st.booleans(),
)
def test_alone_the_whole_day_is_used_whatever_is_lost_or_reordered(
    store: ClockedStore,
    *,
    seed: int,
    latency: tuple[float, float],
    daily: int,
    losses: Losses,
    consumers: int,
    resets: bool,
) -> None:
    store.client.flushall()
    server, limits = Server(daily=daily, resets=resets), replace(LIMITS, daily=daily)
    simulation = start(store, seed, server=server, latency=latency, consumers=consumers, limits=limits, losses=losses)
    simulation.enqueue(daily + 30)
    check_as_it_goes(store, simulation)
    simulation.run(3600)
    assert simulation.requests.out == {}
    assert server.day_refused["lanes"] == 0
    assert daily - server.day_used <= simulation.requests.unknown


@pytest.mark.parametrize(
    ("losses", "resets"), [(Losses(), False), (SOME, True)], ids=["whole, reset unknown", "lossy, reset known"]
)
def test_each_of_many_days_is_used_as_far_as_the_window_allows(
    store: ClockedStore, losses: Losses, resets: bool
) -> None:
    """Days of 150 s, of which the server alone knows when they begin, in the middle of all traffic."""
    server = Server(daily=2000, day_seconds=150, resets=resets)
    simulation = start(store, 3, server=server, latency=(0.01, 3.0), losses=losses)
    simulation.enqueue(4000)
    simulation.run(320)
    assert server.day_refused["lanes"] == 0
    assert len(server.days) >= 2
    assert min(server.days) >= 0.7 * 1500


@pytest.mark.parametrize("latency", [(0.01, 3.0), (0.05, 0.5)])
def test_each_of_many_days_that_are_too_short_for_the_work_is_used_up(
    store: ClockedStore, latency: tuple[float, float]
) -> None:
    server = Server(daily=500, day_seconds=150)
    simulation = start(store, 4, server=server, latency=latency)
    simulation.enqueue(2000)
    simulation.run(500)
    assert server.day_refused["lanes"] == 0
    assert len(server.days) >= 2
    assert set(server.days) == {500}


def test_a_day_without_a_reported_end_is_used_up_again_the_next_day(store: ClockedStore) -> None:
    server = Server(daily=150, resets=False)
    simulation = start(store, 5, server=server)
    simulation.enqueue(700)
    simulation.run(4 * 86_400)
    assert server.day_refused["lanes"] == 0
    assert server.days == [150, 150, 150]


@pytest.mark.parametrize("seed", [2, 4])
def test_a_day_that_begins_with_its_first_request_ends_a_day_after_that(store: ClockedStore, seed: int) -> None:
    """The end that we assume when a day begins is too early by the way of that request; its answer tells."""
    server, limits = Server(daily=60), replace(LIMITS, daily=60)
    simulation = start(store, seed, server=server, latency=(0.01, 3.0), limits=limits, consumers=20)
    simulation.enqueue(300)
    simulation.run(4 * 86_400)
    assert (server.day_refused["lanes"], server.days) == (0, [60, 60, 60])


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10**6),
    latency=st.sampled_from(LATENCIES[:2]),
    losses=st.sampled_from((Losses(), SOME)),
    resets=st.booleans(),
)
def test_with_another_client_no_more_are_refused_than_were_out(
    store: ClockedStore, seed: int, latency: tuple[float, float], losses: Losses, resets: bool
) -> None:
    """His use is learned: the day is used up, and only what was out when he took the last of it is refused."""
    store.client.flushall()
    server = Server(daily=300, resets=resets)
    simulation = start(store, seed, server=server, latency=latency, consumers=20, losses=losses)
    simulation.enqueue(400)
    simulation.send_foreign(simulation.now + 120, lambda: 3.0)
    simulation.run(890)  # no quarter of an hour, after which it would ask again
    assert server.day_used == 300
    assert server.day_refused["lanes"] <= simulation.requests.max_out


def test_a_day_used_up_by_other_clients_is_tried_once_an_hour(store: ClockedStore) -> None:
    """The API does not report the reset."""
    server = Server(daily=300, resets=False)
    simulation = start(store, 6, server=server, consumers=20)
    simulation.enqueue(400)
    simulation.send_foreign(simulation.now + 60, lambda: 20.0)
    simulation.run(120)
    refused = server.day_refused["lanes"]
    simulation.run(12 * 3600)
    assert 8 <= server.day_refused["lanes"] - refused <= 12
    simulation.run(13 * 3600)
    assert store.counts()["delivered"] == 400


@pytest.mark.parametrize("resets_in", [None, 3600.0])
def test_an_answer_of_the_day_before_does_not_fill_the_new_one(store: ClockedStore, resets_in: float | None) -> None:
    limits = DefaultLimits(burst=50, window=10, daily=1000)
    fill(store, "loc", 100)
    first, late, *jobs = [release_job(store, limits) for _ in range(5)]

    def rate_limits(used: int, resets: float | None) -> RateLimitInfo:
        return RateLimitInfo(daily=1000, day_left=1000 - used, day_resets_in=resets)

    deliver(store, first, limits, rate_limits(990, resets_in))
    assert day_used(store) == 990
    store.pass_time(3600 - 1)
    newer = release_job(store, limits)
    store.pass_time(2)
    deliver(store, newer, limits, rate_limits(1, None if resets_in is None else 86_399.0))
    deliver(store, late, limits, rate_limits(995, None if resets_in is None else 1.0))
    assert day_used(store) <= 1 + len(jobs) + 1
    random.Random(1).shuffle(jobs)
    for number, job in enumerate(jobs):
        deliver(store, job, limits, rate_limits(2 + number, None if resets_in is None else 86_399.0))
    deliver(store, release_job(store, limits), limits, rate_limits(5, None if resets_in is None else 86_399.0))
    assert day_used(store) == 5


def test_a_request_that_was_never_sent_is_given_back_to_the_day(store: ClockedStore) -> None:
    limits = DefaultLimits(burst=50, window=10, daily=3)
    fill(store, "loc", 10)
    for _ in range(3):
        job = release_job(store, limits)
        store.requeue(AttemptReport(job.id, job.attempt, "{}", limits), wait=0, sent=False)
    assert day_used(store) == 0
    for sent in range(3):
        release_job(store, limits)
        assert day_used(store) == sent + 1


@pytest.mark.parametrize("resets", [True, False], ids=["reset known", "reset unknown"])
@pytest.mark.parametrize(("allowed", "ends"), [(60, 0), (200_000, 2)], ids=["60 by the API", "60 by the settings"])
def test_a_lane_that_ends_and_begins_again_never_exceeds_a_day(
    store: ClockedStore, allowed: int, ends: int, *, resets: bool
) -> None:
    """A worker looks for idle lanes all the time. A lane that knows a lower limit of the API stays."""
    server, limits = Server(daily=allowed, resets=resets), replace(LIMITS, daily=60)
    simulation = start(store, 8, server=server, latency=(0.05, 3.0), limits=limits)
    ended = 0
    for hours in (2, 30, 2, 49, 22, 30):
        fill(store, "loc", 40)
        for _ in range(2 * hours):
            simulation.run(1800)
            ended += len(store.end_idle_lanes(0, 10)[1])
    assert (server.day_refused["lanes"], ended) == (0, ends)
    assert max([*server.days, server.day_used]) <= 60
    assert store.counts()["delivered"] == 240
