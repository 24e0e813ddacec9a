"""Locations that are refused as wholes, in virtual time: the same figures on any machine."""

from collections import Counter

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport, Consumer, CountedRefusal, DefaultLimits, RateLimitInfo
from tests.lanes.breaker.outage_simulation import OutageSimulation
from tests.lanes.conftest import ClockedStore
from worker.delivery.circuit_breaker import refusal_shape

LIMITS = DefaultLimits(burst=100, window=10, daily=200_000)
HOUR = 3600.0
SEEDS = (1, 2)
# At most every 45 s, since a gap is shortened by up to a quarter.
PROBES_IN_AN_HOUR = 80


class RefusalSimulation(OutageSimulation):
    """What fails there is refused here: with the same words, or with those of `words` for its location."""

    words: dict[str, str]

    def _answer(self, job: Released, consumer: Consumer, *, failed: bool) -> None:
        report = AttemptReport(job.id, job.attempt, "{}", LIMITS, RateLimitInfo())
        if failed:
            words = getattr(self, "words", {}).get(
                job.location_id, f"location {job.location_id}-0123456789 is forbidden"
            )
            self._store.bury(report, reason="refused", refusal=CountedRefusal(20, 1, 60, 403, refusal_shape(words)))
        else:
            self._store.deliver(report, retention=10**6)
        self.free.append(consumer)


def delivered(store: ClockedStore) -> Counter[str]:
    return Counter({lane.location_id: lane.counts["delivered"] for lane in store.lanes()})


@pytest.mark.parametrize("seed", SEEDS)
def test_a_location_refused_for_an_hour_has_few_dead_letters(store: ClockedStore, seed: int) -> None:
    heals = store.now + HOUR
    simulation = RefusalSimulation(store, lambda name, at: name == "refused" and at < heals, seed)
    simulation.enqueue(300, ["refused"])
    simulation.enqueue(2000, ["one", "two", "three"], "other")
    simulation.run(60)
    dead = store.counts()["dead"]
    assert 20 <= dead < 60
    simulation.run(HOUR - 60)
    assert store.counts()["dead"] <= dead + PROBES_IN_AN_HOUR
    assert store.global_state().brake is None
    assert sum(delivered(store).values()) == 2000
    dead = store.counts()["dead"]
    simulation.run(120)
    assert delivered(store)["refused"] == 300 - dead
    assert all(lane.brake is None for lane in store.lanes())
    assert list(check_consistency(store)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_when_every_location_is_refused_all_lanes_stop_and_resume_by_themselves(store: ClockedStore, seed: int) -> None:
    breaks, heals = store.now + 20, store.now + HOUR
    simulation = RefusalSimulation(store, lambda _, at: breaks <= at < heals, seed)
    names = [f"loc-{number}" for number in range(20)]
    simulation.enqueue(20 * 500, names)
    simulation.run(100)
    assert store.global_state().brake is not None
    dead = store.counts()["dead"]
    assert dead < 20 * 20
    simulation.run(HOUR - 100)
    assert store.counts()["dead"] <= dead + PROBES_IN_AN_HOUR, "one probe a minute, of all lanes together"
    simulation.run(300)
    assert store.global_state().brake is None
    assert store.counts()["delivered"] == 10_000 - store.counts()["dead"]
    assert list(check_consistency(store)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_while_one_healthy_lane_is_delivered_all_lanes_never_stop(store: ClockedStore, seed: int) -> None:
    failing = [f"failing-{number}" for number in range(5)]
    simulation = RefusalSimulation(store, lambda name, _: name in failing, seed)
    simulation.enqueue(2000, [*failing, "healthy"])
    stopped = 0
    for number in range(300):
        simulation.run(2)
        simulation.enqueue(1, ["healthy"], f"more{number}-")
        stopped += store.global_state().brake is not None
    assert stopped == 0
    assert delivered(store)["healthy"] >= 333 + 299
    assert all((lane.brake is not None) == (lane.location_id in failing) for lane in store.lanes())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_healthy_lane_ends_a_wrong_global_brake(store: ClockedStore, seed: int) -> None:
    failing = ["failing-1", "failing-2", "failing-3"]
    simulation = RefusalSimulation(store, lambda name, _: name in failing, seed)
    simulation.enqueue(900, failing)
    simulation.run(600)
    assert store.global_state().brake is not None
    simulation.enqueue(400, ["healthy"], "well")
    simulation.run(120)
    assert store.global_state().brake is None
    simulation.run(60)
    assert delivered(store)["healthy"] == 400


def test_locations_refused_for_different_reasons_stop_no_other(store: ClockedStore) -> None:
    failing = {"one": "Forbidden resource", "two": "Cannot POST /x", "three": "property name should not exist"}
    simulation = RefusalSimulation(store, lambda name, _: name in failing)
    simulation.words = failing
    simulation.enqueue(300, list(failing))
    simulation.run(600)
    assert store.global_state().brake is None
    simulation.enqueue(100, ["healthy"], "well")
    simulation.run(15)
    assert delivered(store)["healthy"] == 100
