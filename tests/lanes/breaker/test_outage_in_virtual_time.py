"""Outages of the API, of one location and of a few, in virtual time: the same figures on any machine."""

import pytest

from lanes.checks.consistency import check_consistency
from tests.lanes.breaker.outage_simulation import OutageSimulation
from tests.lanes.conftest import ClockedStore

HOUR = 3600.0
MANY = [f"loc-{number}" for number in range(50)]


def test_an_outage_of_an_hour_with_ten_thousand_jobs(store: ClockedStore) -> None:
    begins = store.now + 10
    simulation = OutageSimulation(store, lambda _, at: begins <= at < begins + HOUR)
    ids = simulation.enqueue(10_000, MANY)
    simulation.run(10)
    before = store.counts()["delivered"]
    assert 0 < before < 9000
    simulation.run(HOUR)
    during = simulation.failures(begins)
    outage = store.global_state().outage
    assert outage is not None
    assert during == sum(1 for request in simulation.requests if request.at >= begins)
    assert during < 200
    assert sum(job.failures for job in store.jobs(ids) if job) == 0
    simulation.run(300)
    counts = store.counts()
    assert (counts["delivered"], counts["dead"]) == (10_000, 0)
    assert simulation.failures(begins + HOUR) == 0
    assert store.global_state().outage is None
    assert list(check_consistency(store)) == []


def test_traffic_comes_back_gradually_and_a_failure_opens_the_breaker_again(store: ClockedStore) -> None:
    down_until, hiccup = store.now + 100, store.now + 1e9
    simulation = OutageSimulation(store, lambda _, at: at < down_until or hiccup <= at < hiccup + 0.6)
    simulation.enqueue(3000, MANY)
    while not any(not request.failed for request in simulation.requests):
        simulation.run(0.05)
    first = next(request.at for request in simulation.requests if not request.failed)
    rooms = []
    while (outage := store.global_state().outage) is not None and outage.half_open_limit < 16:
        rooms.append(outage.half_open_limit)
        simulation.run(0.01)
    assert rooms == sorted(rooms)
    assert set(rooms) <= {1, 2, 4, 8}
    assert len(set(rooms)) > 1
    assert sum(1 for request in simulation.requests if request.at >= first) < 40
    hiccup = store.now
    simulation.run(0.6)
    outage = store.global_state().outage
    assert outage is not None
    assert outage.half_open_limit == 1
    simulation.run(300)
    assert store.global_state().outage is None
    assert store.counts()["delivered"] == 3000


@pytest.mark.parametrize("sick", [["loc-0"], ["loc-0", "loc-1"]], ids=["one", "two"])
def test_locations_that_fail_by_themselves_pause_only_themselves(store: ClockedStore, sick: list[str]) -> None:
    simulation = OutageSimulation(store, lambda location, _: location in sick)
    simulation.enqueue(3000, MANY[:10])
    simulation.run(120)
    assert store.global_state().outage is None
    lanes = {lane.location_id: lane for lane in store.lanes()}
    for name, lane in lanes.items():
        assert (lane.counts["delivered"] == 300) == (name not in sick)
        assert (lane.failing > 0) == (name in sick)
    failures = simulation.failures(0)
    simulation.run(HOUR)
    assert store.global_state().outage is None
    assert simulation.failures(0) - failures < 100 * len(sick)


def test_a_single_location_account_loses_nothing_in_an_outage(store: ClockedStore) -> None:
    ends = store.now + HOUR
    simulation = OutageSimulation(store, lambda _, at: at < ends)
    simulation.enqueue(5, ["only"])
    simulation.run(HOUR)
    assert simulation.failures(0) < 200
    simulation.run(400)
    assert (store.counts()["delivered"], store.counts()["dead"]) == (5, 0)
    assert store.lanes()[0].failing == 0


@pytest.mark.parametrize("sick", [4, 8])
def test_failing_locations_do_not_keep_the_breaker_open_for_the_others(store: ClockedStore, sick: int) -> None:
    """They have all the traffic at first: that looks like an outage, until others have had their turn to be probed."""
    ill, healthy = MANY[:sick], MANY[sick : sick + 4]
    simulation = OutageSimulation(store, lambda location, _: location in ill)
    simulation.enqueue(50 * sick, ill)
    simulation.run(600)
    assert store.global_state().outage is not None
    simulation.enqueue(400, healthy, "healthy")
    simulation.run(120 * sick)
    assert store.counts()["delivered"] == 400


def test_a_good_job_after_many_failing_ones_is_delivered(store: ClockedStore) -> None:
    simulation = OutageSimulation(store, lambda _, __: True)
    simulation.enqueue(40, ["loc"])
    simulation.run(120)
    assert store.lanes()[0].failing > 0
    simulation.fails = lambda _, __: False
    simulation.run(120)
    assert store.counts()["delivered"] == 40
