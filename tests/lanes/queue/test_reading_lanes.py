"""A lane in numbers."""

import pytest

from lanes.queue.lane import WaitReason
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.whole_state import KNOWN, report, send


def age(store: ClockedStore, location: str = "loc") -> float | None:
    [lane] = store.lanes([location])
    return lane.oldest


def test_only_the_lanes_that_were_asked_for(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(f"loc-{number:03}") for number in range(250)], KNOWN)
    assert [lane.location_id for lane in store.lanes(["loc-007", "loc-001", "nowhere"])] == ["loc-001", "loc-007"]
    assert len(store.lanes()) == 250
    assert store.lanes([]) == []
    [nowhere] = store.read_lanes(["nowhere"])
    assert (nowhere.counts["accepted"], nowhere.oldest, nowhere.due_in) == (0, None, None)


def test_the_oldest_is_the_first_of_those_that_are_ready(store: ClockedStore, order: Orders) -> None:
    assert store.lanes() == []
    store.enqueue(order(record="pipe/1"), KNOWN)
    store.pass_time(5)
    store.enqueue(order(record="pipe/2"), KNOWN)
    store.pass_time(5)
    assert age(store) == 10


def test_urgent_jobs_do_not_hide_an_older_one(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(record="pipe/1"), KNOWN)
    store.pass_time(5)
    store.enqueue(order(record="pipe/2", priority=9), KNOWN)
    store.enqueue(order(record="pipe/3", priority=4), KNOWN)
    store.pass_time(5)
    assert age(store) == 10
    send(store)
    send(store)
    assert age(store) == 10


def test_a_job_in_backoff_counts_as_old_and_a_scheduled_one_does_not(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(record="pipe/1"), KNOWN)
    store.retry(report(send(store)), delay=60)
    store.enqueue(order(record="pipe/2", not_before=START + 30), KNOWN)
    store.pass_time(20)
    assert age(store) == 20
    store.pass_time(20)
    assert age(store) == 40  # the other has been late for ten seconds


def test_a_job_that_is_not_to_be_sent_yet_is_not_late(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(not_before=START + 30), KNOWN)
    store.pass_time(20)
    assert age(store) is None
    store.pass_time(20)
    assert age(store) == 10


def test_a_job_blocked_by_one_in_flight_counts_as_old(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    send(store)
    assert age(store) is None
    store.pass_time(3)
    store.enqueue(order(), KNOWN)
    store.pass_time(4)
    assert age(store) == 4


def test_since_when_a_lane_is_held(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    assert store.lanes()[0].held_at is None
    store.pass_time(7)
    store.hold("loc", "to look", "anna")
    assert store.lanes()[0].held_at == START + 7
    store.resume("loc")
    assert store.lanes()[0].held_at is None


@pytest.mark.parametrize("reason", [WaitReason.ALL_HELD, WaitReason.OUTAGE, WaitReason.ALL_BRAKED])
def test_what_stops_all_lanes_makes_no_lane_due(store: ClockedStore, order: Orders, reason: WaitReason) -> None:
    store.enqueue(order(), KNOWN)
    store.enqueue(order(location="later", not_before=START + 30), KNOWN)
    assert [(lane.due_in, lane.waits_for) for lane in store.lanes()] == [(30.0, None), (0.0, None)]
    if reason is WaitReason.ALL_HELD:
        store.hold_all("why", "ada")
    else:
        store.client.hset(store.key("global_state"), mapping={"outage_since": 1, "half_open_limit": 1, "probe_at": 1})
        if reason is WaitReason.ALL_BRAKED:
            store.client.hset(store.key("global_state"), "cause", "refusals")
    store.enqueue(order(location="newer"), KNOWN)
    empty = store.read_lanes(["nowhere"])[0]
    assert {(lane.due_in, lane.waits_for) for lane in store.lanes()} == {(None, reason)}
    assert (empty.due_in, empty.waits_for) == (None, None)
    assert store.lanes()[0].as_json()["waits_for"] == reason.value


@pytest.mark.parametrize(("state", "commands"), [("pending", 5), ("idle", 2)])
def test_a_lane_costs_few_commands(store: ClockedStore, order: Orders, state: str, commands: int) -> None:
    def calls() -> int:
        return sum(command["calls"] for command in store.client.info("commandstats").values())

    store.enqueue_many([order(f"loc-{number:03}") for number in range(100)], KNOWN)
    if state == "idle":
        for _ in range(100):
            store.deliver(report(send(store)), retention=3600)
    before = calls()
    assert len(store.lanes()) == 100
    assert calls() - before <= commands * 100 + 10
