"""The figures of the throughput page, from lanes and series as values."""

from typing import Any

import pytest

from lanes.activity.series import EVENTS, Histogram, Point, Series
from lanes.checks.worker_reports import NOTHING, WorkerReport
from lanes.queue.global_state import AllBrake, GlobalState, Outage
from lanes.queue.lane import COUNTS, Brake, Lane
from lanes.settings import WorkerSettings
from worker.dashboard.throughput import statistics
from worker.metrics.lane_aggregates import in_use

SETTINGS = WorkerSettings(burst_limit=100, burst_window_seconds=10, daily_limit=1000)
FREE = GlobalState()


def lane(name: str = "loc", *, pending: int = 0, in_flight: int = 0, **more: Any) -> Lane:
    counts = {**dict.fromkeys(COUNTS, 0), "pending": pending, "in_flight": in_flight}
    base = Lane(name, counts, hold=None, held_by=None, due_in=None, day_used=0, window_used=0)
    return base._replace(**more)


def series(*steps: dict[str, int], step: float = 10, come: float = 5) -> Series:
    """Return these steps; the last one has lasted `come` seconds so far."""
    points = tuple(Point(at * step, {**dict.fromkeys(EVENTS, 0), **counts}) for at, counts in enumerate(steps))
    return Series(step, points[-1].at + come, points)


def test_the_share_in_use_counts_lanes_with_work_alone() -> None:
    working = lane("a", pending=5, oldest=1.0, window_used=80)
    last_one_out = lane("b", in_flight=1, window_used=10, burst=20)
    idle = lane("c", window_used=100)
    later = lane("d", pending=3, window_used=7)  # all of them wait for their backoff
    found = in_use([working, last_one_out, idle, later], FREE, SETTINGS)
    assert found == {"share": 0.75, "used": 90, "allowed": 120, "lanes": 2}


@pytest.mark.parametrize(
    "stopped",
    [
        {"hold": "why", "held_by": "ana"},
        {"failing": 20},
        {"day_used": 1000},
        {"day_used": 50, "daily": 50},
    ],
    ids=["held", "failing", "day used up", "own day used up"],
)
def test_a_lane_that_may_not_send_allows_nothing(stopped: dict[str, Any]) -> None:
    found = in_use([lane(pending=1, oldest=1.0, **stopped)], FREE, SETTINGS)
    assert found == {"share": None, "used": 0, "allowed": 0, "lanes": 0}


@pytest.mark.parametrize(
    "global_state", [GlobalState(hold="stop", held_by="ana", held_at=1.0), GlobalState(outage=Outage(1.0, 2.0, 1))]
)
def test_nothing_is_allowed_while_everything_is_held(global_state: GlobalState) -> None:
    assert in_use([lane(pending=1, oldest=1.0)], global_state, SETTINGS)["share"] is None


def test_more_requests_than_the_window_takes_are_no_more_than_all_of_it() -> None:
    found = in_use([lane(pending=1, oldest=1.0, window_used=130)], FREE, SETTINGS)
    assert found["share"] == 1.0


def test_the_backlog_goes_at_the_pace_of_the_last_half_minute() -> None:
    hour = series(
        {"delivered": 9000}, {"delivered": 50}, {"delivered": 60, "dead": 10}, {"delivered": 65, "merged": 65}
    )
    lanes = [lane("a", pending=95, in_flight=5), lane("b", pending=100)]
    found = statistics.backlog(lanes, FREE, hour, SETTINGS)
    assert found["pace"] == 10.0
    assert found == {"jobs": 200, "held": 0, "braked": 0, "seconds": 20.0, "pace": 10.0, "incoming": 0.0}


def test_a_lane_on_the_brake_is_neither_moving_nor_held() -> None:
    brake = Brake(100.0, 5.0, 20, 403)
    lanes = [
        lane("a", pending=5, oldest=1.0),
        lane("b", pending=7, oldest=9.0, brake=brake),
        lane("c", pending=9, brake=brake, hold="why", held_at=50.0),
    ]
    found = statistics.backlog(lanes, FREE, series({}), SETTINGS)
    assert (found["jobs"], found["braked"], found["held"]) == (5, 7, 9)
    assert statistics.oldest(lanes) == {"seconds": 1.0, "location_id": "a"}
    assert statistics.braked(lanes) == {"lanes": 2, "since": 100.0, "location_id": "b"}
    assert statistics.braked(lanes[:1]) is None
    assert in_use(lanes, FREE, SETTINGS)["lanes"] == 1
    assert in_use(lanes, GlobalState(brake=AllBrake(1.0, 2.0, 403)), SETTINGS)["lanes"] == 0


def test_what_has_just_begun_moves() -> None:
    hour = series({}, {}, {}, {"delivered": 44}, come=2)
    found = statistics.backlog([lane(pending=10)], FREE, hour, SETTINGS)
    assert (found["pace"], found["seconds"]) == (2.0, 5.0)
    assert statistics.rates(hour)["delivered"] == 2.0
    assert statistics.current_rate(Series(10, 5.0, ()), "delivered") == 0.0


def test_no_lane_is_faster_than_its_window() -> None:
    hour = series(*[{"delivered": 1000}] * 3, come=10)
    lanes = [lane("hot", pending=5000), lane("own", pending=100, burst=1), lane("small", pending=10)]
    assert statistics.backlog(lanes, FREE, hour, SETTINGS)["seconds"] == 1000.0


def test_held_jobs_wait_for_a_person_and_not_for_the_pace() -> None:
    hour = series(*[{"delivered": 10}] * 3, come=10)
    lanes = [lane("a", pending=10), lane("b", pending=7, hold="why", held_by="ana")]
    found = statistics.backlog(lanes, FREE, hour, SETTINGS)
    assert (found["jobs"], found["held"], found["seconds"]) == (10, 7, 10.0)
    all_held = statistics.backlog(lanes, GlobalState(hold="stop", held_by="ana", held_at=1.0), hour, SETTINGS)
    assert (all_held["jobs"], all_held["held"], all_held["seconds"]) == (0, 17, 0.0)


def test_a_backlog_that_does_not_move_has_no_end() -> None:
    assert statistics.backlog([lane(pending=1)], FREE, series({}, {}, {}), SETTINGS)["seconds"] is None
    assert statistics.backlog([lane()], FREE, series({}, {}, {}), SETTINGS)["seconds"] == 0.0


def test_the_oldest_job_and_the_longest_hold() -> None:
    held = lane("held", pending=1, oldest=99.0, hold="why", held_by="ana", held_at=20.0)
    later = lane("later", pending=1, oldest=5.0, hold="why", held_by="ana", held_at=30.0)
    lanes = [lane("a", pending=1, oldest=3.0), held, lane("b", pending=1, oldest=4.0), later, lane("c")]
    assert statistics.oldest(lanes) == {"seconds": 4.0, "location_id": "b"}
    assert statistics.held(lanes) == {"lanes": 2, "since": 20.0, "location_id": "held"}
    assert statistics.oldest([held]) is None
    assert statistics.held([lanes[0]]) is None


def test_charts_show_complete_steps_a_second() -> None:
    found = statistics.chart(series({"delivered": 25, "dead": 1}, {"throttled": 5}, {"delivered": 1}))
    assert found["at"] == [0.0, 10.0]
    assert found["delivered"] == [2.5, 0.0]
    assert found["throttled"] == [0.0, 0.5]
    assert found["dead"] == [0.1, 0.0]
    assert found["step"] == 10


def test_latency_of_five_minutes_and_of_the_hour() -> None:
    fast, slow = Histogram({20: 98, 30: 2}), Histogram({40: 100})
    steps = [Point(at * 10, dict.fromkeys(EVENTS, 0), slow if at < 5 else fast, Histogram()) for at in range(36)]
    found = statistics.latency(Series(10, 361.0, tuple(steps)))
    recent, hour = found["waits"]["recent"], found["waits"]["hour"]
    assert recent["count"] == 30 * 100
    assert recent["seconds"][0] == recent["seconds"][1] == fast.quantile(0.5)
    assert recent["seconds"][2] == fast.quantile(0.99) != fast.quantile(0.5)
    assert hour["seconds"][2] == slow.quantile(0.5)
    assert found["answers"]["hour"] == {"count": 0, "seconds": [None, None, None]}


def test_the_use_of_all_workers() -> None:
    reports = [WorkerReport(20, 16, 48, 0.5, NOTHING, 272, []), WorkerReport(16, 16, 16, 0.1, NOTHING, 136, [])]
    assert statistics.worker_usage(reports, {"share": 0.5}) == {
        "alive": 2,
        "capacity": 64,
        "busy": 0.5,
        "bound_by": "nothing",
    }
    assert statistics.worker_usage([], {"share": None}) == {
        "alive": 0,
        "capacity": 0,
        "busy": None,
        "bound_by": "nothing",
    }


@pytest.mark.parametrize(
    ("bounds", "share", "bound_by"),
    [(["cpu", "senders"], 1.0, "cpu"), (["senders", NOTHING], 1.0, "senders"), ([NOTHING], 0.95, "limit")],
)
def test_what_bounds_the_throughput(bounds: list[str], share: float, bound_by: str) -> None:
    reports = [WorkerReport(0, 0, 16, 0.0, bound, 136, []) for bound in bounds]
    assert statistics.worker_usage(reports, {"share": share})["bound_by"] == bound_by
