"""Recent activity, as the dashboard reads it."""

import pytest

from lanes.activity.series import (
    EVENTS,
    Histogram,
    Series,
    bucket_of_answer,
    bucket_of_wait,
    lane_day,
    last_day,
    last_hour,
    since_the_beginning,
    upper_bound,
)
from lanes.dead_letters import operations
from lanes.queue.results import Released
from lanes.storage.stored import MICROSECONDS
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.whole_state import KEPT, KNOWN, report, send


def deliver(store: ClockedStore, seconds: float = 0) -> Released:
    """Deliver a job as a worker does, with its durations."""
    job = send(store)
    store.pass_time(seconds)
    result = store.deliver(report(job), retention=KEPT)
    assert result.elapsed is not None
    assert result.wait is not None
    record(store, {bucket_of_answer(result.elapsed): 1, bucket_of_wait(result.wait): 1})
    return job


def record(store: ClockedStore, durations: dict[str, int] | None = None) -> None:
    """Write the series, however little time has passed since the last time."""
    store.client.hdel(store.key("sampled"), "at")
    assert store.record_statistics(durations or {})


def sums(series: Series) -> dict[str, int]:
    return {event: series.total(event) for event in EVENTS if series.total(event)}


def test_each_event_is_counted_in_the_step_in_which_it_happened(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record=f"pipe/{number}") for number in range(2)], KNOWN)
    record(store)
    store.pass_time(10)
    deliver(store)
    store.pass_time(20)
    store.bury(report(send(store)), reason="refused")
    record(store)
    hour = last_hour(store)
    assert (hour.step, len(hour.points), hour.points[-1].at) == (10, 361, START + 30)
    happened = {
        (point.at - START, event): count for point in hour.points for event, count in point.counts.items() if count
    }
    assert happened == {(0, "accepted"): 2, (10, "delivered"): 1, (30, "dead"): 1}
    day = last_day(store)
    assert (day.step, len(day.points)) == (300, 289)
    assert {event: day.total(event) for event in EVENTS if day.total(event)} == {
        "accepted": 2,
        "delivered": 1,
        "dead": 1,
    }


def test_what_is_older_than_the_series_is_not_in_it(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    record(store)
    store.pass_time(3600 + 10)
    assert last_hour(store).total("accepted") == 0
    assert last_day(store).total("accepted") == 1
    store.pass_time(86_400)
    assert last_day(store).total("accepted") == 0
    assert since_the_beginning(store).counts["accepted"] == 1


def test_the_series_of_a_lane_is_its_own(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order("one"), KNOWN)
    record(store)
    store.pass_time(14_400)  # another key
    deliver(store)
    store.enqueue(order("other"), KNOWN)
    record(store)
    one, other = lane_day(store, "one"), lane_day(store, "other")
    assert [(point.at - START, event) for point in one.points for event, count in point.counts.items() if count] == [
        (0, "accepted"),
        (14_400, "delivered"),
    ]
    assert (other.total("accepted"), other.total("delivered")) == (1, 0)


def test_the_series_have_few_keys_and_all_expire(store: ClockedStore, order: Orders) -> None:
    for step in range(100):
        store.enqueue(order(record=f"pipe/{step}"), KNOWN)
        store.record_statistics({"w1": 1})
        store.pass_time(10)
    lives = {
        name: {store.client.ttl(key) for key in store.client.scan_iter(match=store.key(name, *where, "*"))}
        for name, where in (("recent", ()), ("history", ()), ("lane_history", ("loc",)))
    }
    assert all(life and min(life) > 0 for life in lives.values())
    assert max(lives["recent"]) <= 3900
    assert max(lives["history"]) <= 90_300
    assert len(lives["lane_history"]) == 1


def test_waits_and_answers_are_counted_by_their_length(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(record="pipe/1"), KNOWN)
    store.enqueue(order(record="pipe/2", not_before=START + 100), KNOWN)
    store.pass_time(4)
    deliver(store, 0.5)
    store.pass_time(START + 108 - store.now)
    deliver(store, 2)
    hour, totals = last_hour(store), since_the_beginning(store)
    for waits in (hour.waits, last_day(store).waits, totals.waits):
        assert waits.total == 2
        # 4.5 s, and 10 s from when it might be sent.
        assert waits.quantile(0.5) == pytest.approx(4.5, rel=0.1)
        assert waits.quantile(1) == pytest.approx(10, rel=0.1)
    for answers in (hour.answers, totals.answers):
        assert answers.quantile(0.1) == pytest.approx(0.5, rel=0.1)
        assert answers.quantile(0.9) == pytest.approx(2, rel=0.1)
        assert answers.seconds == pytest.approx(2.5, rel=0.1)


def test_a_success_that_comes_too_late_counts_once(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    job = send(store)
    store.pass_time(100)
    store.reclaim(10, 5)
    delivered, again = (store.deliver(report(job), retention=KEPT) for _ in range(2))
    assert (delivered.wait, again.wait, again.elapsed) == (100, None, None)
    record(store)
    assert sums(last_hour(store)) == {"accepted": 1, "reclaimed": 1, "delivered": 1}
    assert store.counts()["delivered"] == 1


def test_a_job_that_is_dead_twice_counts_twice(store: ClockedStore, order: Orders) -> None:
    job_id = store.enqueue(order(), KNOWN).id
    for _ in range(2):
        store.bury(report(send(store)), reason="refused")
        operations.replay(store, [job_id])
    assert store.counts()["dead"] == 0
    record(store)
    assert lane_day(store, "loc").total("dead") == 2
    assert since_the_beginning(store).counts["dead"] == last_hour(store).total("dead") == 2
    assert since_the_beginning(store).buried == {"refused": 2, "exhausted": 0, "unconfirmed": 0, "unauthorized": 0}


def test_the_wait_of_a_replayed_job_starts_at_its_replay(store: ClockedStore, order: Orders) -> None:
    job_id = store.enqueue(order(), KNOWN).id
    store.bury(report(send(store)), reason="refused")
    store.pass_time(86_400)
    operations.replay(store, [job_id])
    store.pass_time(3)
    assert store.lanes()[0].oldest == 3
    deliver(store, 1)
    assert last_hour(store).waits.quantile(1) == pytest.approx(4, rel=0.1)


def test_a_rate_leaves_out_the_current_step(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record=f"pipe/{number}") for number in range(60)], KNOWN)
    record(store)
    assert last_hour(store).rate("accepted", 60) == 0
    store.pass_time(10)
    assert last_hour(store).rate("accepted", 60) == 1
    assert last_hour(store).rate("accepted", 1) == 6
    store.pass_time(60)
    assert last_hour(store).rate("accepted", 60) == 0


@pytest.mark.parametrize("seconds", [0.0001, 0.001, 0.0035, 0.25, 1, 59, 3600, 86_400])
def test_a_time_falls_into_its_bucket(store: ClockedStore, order: Orders, seconds: float) -> None:
    store.enqueue(order(), KNOWN)
    store.pass_time(seconds)
    deliver(store)
    [bucket] = since_the_beginning(store).waits.counts
    assert seconds <= upper_bound(bucket) * 1.0001
    assert bucket == 0 or seconds >= upper_bound(bucket - 1) * 0.9999


def test_the_counters_are_sampled_about_once_a_second(store: ClockedStore, order: Orders) -> None:
    assert store.record_statistics({})
    store.enqueue(order(), KNOWN)
    assert [store.record_statistics({"w7": 1}) for _ in range(2)] == [False, False]
    store.pass_time(1)
    assert [store.record_statistics({}) for _ in range(2)] == [True, False]
    hour = last_hour(store)
    assert (sums(hour), hour.waits.counts, lane_day(store, "loc").total("accepted")) == ({"accepted": 1}, {7: 2}, 1)
    store.pass_time(-1000)  # the clock of Redis was set back
    assert store.record_statistics({})


def test_many_lanes_are_sampled_in_turn(store: ClockedStore, order: Orders) -> None:
    locations = [f"loc{number}" for number in range(600)]
    store.enqueue_many([order(location) for location in locations], KNOWN)
    lists = []
    for _ in range(2):
        record(store)
        lists.append(sum(lane_day(store, location).total("accepted") for location in locations))
    assert 200 < lists[0] < lists[1] < 600
    while sum(lane_day(store, location).total("accepted") for location in locations) < 600:
        record(store)
    assert last_hour(store).total("accepted") == 600


@pytest.mark.parametrize(
    "key", ["sampled", "counts", "totals", "locations", "recent", "history", "lane:loc", "lane_history"]
)
def test_a_broken_key_breaks_its_own_statistics_only(store: ClockedStore, order: Orders, key: str) -> None:
    starts = {"recent": 10, "history": 300, "lane_history": 14_400}
    names = {
        name: ("loc",) * (name == "lane_history") + (str(START // step * step * MICROSECONDS),)
        for name, step in starts.items()
    }
    store.enqueue_many([order(), order("other")], KNOWN)
    name, _, location = key.partition(":")
    full = store.key(name, *((location,) if location else names.get(name, ())))
    kept = store.client.dump(full)
    store.client.delete(full)
    store.client.set(full, "junk")
    if key != "sampled":
        record(store, {"w5": 3, "a5": 3})
    else:
        assert not store.record_statistics({"w5": 3, "a5": 3})
    assert last_hour(store).waits.total == (0 if key == "recent" else 3)
    assert last_day(store).answers.total == (0 if key == "history" else 3)
    assert since_the_beginning(store).waits.total == (0 if key == "totals" else 3)
    assert last_hour(store).total("accepted") == (0 if key in ("sampled", "counts", "recent") else 2)
    assert lane_day(store, "other").total("accepted") == (0 if key in ("sampled", "locations") else 1)
    if kept and name in ("counts", "lane"):  # a person repairs it
        store.client.restore(full, 0, kept, replace=True)
        record(store)
        assert last_hour(store).total("accepted") == lane_day(store, "loc").total("accepted") * 2 == 2


def test_a_corrected_counter_takes_nothing_back(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record=f"pipe/{number}") for number in range(3)], KNOWN)
    record(store)
    for name in (store.key("counts"), store.key("lane", "loc")):
        store.client.hincrby(name, "accepted", -1)
    record(store)
    store.enqueue(order(record="pipe/new"), KNOWN)
    record(store)
    assert last_hour(store).total("accepted") == lane_day(store, "loc").total("accepted") == 4


def test_histograms() -> None:
    one, other = Histogram({0: 1, 8: 2}), Histogram({8: 1, 20: 4})
    both = one + other
    assert both.counts == {0: 1, 8: 3, 20: 4}
    assert (both.total, both.at_most(upper_bound(8)), both.at_most(upper_bound(7)), both.at_most(60)) == (8, 4, 1, 8)
    assert Histogram().quantile(0.5) is None
    assert Histogram().seconds == 0
