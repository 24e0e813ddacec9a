"""release: its changes to the whole of Redis; and `count_due`, which counts what it could release."""

import pytest

from lanes.queue.results import DueJobs, Idle, Released
from lanes.queue.transitions import DefaultLimits
from lanes.versions import DEFAULT_VERSION
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.whole_state import KNOWN, LIMITS, dead_letter_indexed, fields_of, make_consumer, report, send, watch

RECORD = "pipe/contact"


def goes_out(job_id: str, *, at: int = 0) -> dict[str, str]:
    """The changes of a lane's first release, from any queue position."""
    lane = fields_of("lane:loc", in_flight="1", pending="1 -> 0", released="1", day_base="0", day_quarter="2000000")
    job = {"state": "pending -> in_flight", "attempt": "1", "number": "1", "released_at": f"t{at:+}", "worker": "w1"}
    return (
        lane
        | fields_of(f"job:{job_id}", **job)
        | {
            "day:loc.2000000": "0",
            f"leases.{job_id}": f"t{at + 60:+}",
            f"rate_slots:loc.{job_id}:1": f"t{at + 70:+}",
            "consumer:w1": f"{job_id}:1",
            "consumer:w1 ttl": "1 min",
        }
    )


def test_a_ready_job_goes_out(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(expires_at=START + 100), KNOWN)
    with watch(store) as changed:
        job = store.release(make_consumer()).next
    assert job == Released("job1", "loc", 1, 0, START, 0, DEFAULT_VERSION, b'{"n":1}')
    assert changed == goes_out("job1") | {
        "ready:loc.job1": "1 -> gone",
        "due.loc": "t+0 -> gone",
        "expiring.job1": "t+100 -> gone",
    }


def test_the_lane_stays_due_for_its_next_job_after_the_other_lanes(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record="a"), order(record="b")], KNOWN)
    store.pass_time(3)
    with watch(store) as changed:
        assert send(store).id == "job1"
    assert changed == goes_out("job1", at=3) | {
        "ready:loc.job1": "1 -> gone",
        "due.loc": "t+0 -> t+3",
        "lane:loc.pending": "2 -> 1",
    }


def test_a_job_whose_wait_is_over_goes_out(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record="a", not_before=START + 5), order(record="b", not_before=START + 50)], KNOWN)
    store.pass_time(5)
    with watch(store) as changed:
        assert send(store).id == "job1"
    assert changed == goes_out("job1", at=5) | {
        "delayed:loc.job1": "t+5 -> gone",
        "due.loc": "t+5 -> t+50",
        "lane:loc.pending": "2 -> 1",
    }


def test_the_urgent_goes_first_then_the_oldest(store: ClockedStore, order: Orders) -> None:
    store.limit("loc", burst=9, daily=None, weight=None)
    store.enqueue_many(
        [order(record=f"r{number}", priority=priority) for number, priority in enumerate((0, 1, 9, 1))], KNOWN
    )
    assert [send(store, f"w{number}").id for number in range(4)] == ["job3", "job2", "job4", "job1"]


def test_a_job_whose_time_is_over_expires_instead(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(expires_at=START + 5), KNOWN)
    store.enqueue(order(), KNOWN)
    store.pass_time(5)
    with watch(store) as changed:
        assert send(store).id == "job2"
    assert changed == goes_out("job2", at=5) | {
        **dead_letter_indexed(),
        **fields_of("job:job1", state="pending -> expired", reason="expired", ended_at="t+5"),
        "dead.job1": "t+5",
        "expiring.job1": "t+5 -> gone",
        "ready:loc.job1": "1 -> gone",
        "blocked:loc:pipe/contact": "job2 -> gone",
        "active:loc.pipe/contact": "job1 -> job2",
        "due.loc": "t+0 -> gone",
        **fields_of("lane:loc", pending="2 -> 0", expired="1"),
    }


def test_a_worker_that_asks_again_gets_the_same_attempt(store: ClockedStore, order: Orders) -> None:
    """The answer that gave it the job was lost: it works on one job at a time."""
    store.enqueue_many([order(record="a"), order(record="b")], KNOWN)
    first = send(store)
    with watch(store) as changed:
        assert send(store) == first
    assert changed == {}


def test_a_redelivered_job_has_a_whole_lease(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    first = send(store)
    store.pass_time(20)
    with watch(store) as changed:
        assert send(store) == first
    assert changed == {"leases.job1": "t+60 -> t+80", "rate_slots:loc.job1:1": "t+70 -> t+90"}


def test_a_spent_burst_blocks_the_lane_until_its_first_slot_is_free(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record=record) for record in "abc"], KNOWN)
    for worker in ("w1", "w2"):
        send(store, worker)
    with watch(store) as changed:
        assert store.release(make_consumer("w3")).next == Idle(70)
    assert changed == {"due.loc": "t+0 -> t+70", "lane:loc.rate_limited_until": "t+70"}


def test_a_spent_daily_quota_blocks_the_lane_until_its_oldest_quarter_hour_has_passed(
    store: ClockedStore, order: Orders
) -> None:
    day = make_consumer(limits=DefaultLimits(burst=9, window=10, daily=1))
    store.enqueue_many([order(record=record) for record in "ab"], KNOWN)
    store.deliver(report(send(store)), retention=60)
    with watch(store) as changed:
        assert store.release(day).next == Idle(97 * 900)
    blocked = {"due.loc": "t+0 -> t+87300", "lane:loc.rate_limited_until": "t+87300"}
    assert changed == blocked | {"consumer:w1": "job1:1 -> gone", "consumer:w1 ttl": "1 min -> gone"}


def test_a_held_lane_releases_nothing(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    store.hold("loc", "why", "operator")
    with watch(store) as changed:
        assert store.release(make_consumer()).next == Idle(None)
    assert changed == {}


@pytest.mark.parametrize(("weight", "records"), [(1, ["a1", "b1", "a2", "b2"]), (2, ["a1", "a2", "b1", "a3"])])
def test_a_lane_has_as_many_turns_as_its_weight(
    store: ClockedStore, order: Orders, weight: int, records: list[str]
) -> None:
    store.limit("a", burst=9, daily=None, weight=weight)
    store.limit("b", burst=9, daily=None, weight=None)
    for location in "ab":
        store.enqueue_many([order(location, f"{location}{number}") for number in (1, 2, 3)], KNOWN)
        store.pass_time(1)
    sent = []
    for number in range(4):
        sent.append(send(store, f"w{number}").id)
        store.pass_time(1)
    assert [job.record for job in store.read_jobs(sent) if job] == records


def test_count_due_counts_what_could_be_sent_now(store: ClockedStore, order: Orders) -> None:
    assert store.count_due(9, LIMITS) == DueJobs(0, None)
    store.enqueue(order("a", not_before=START + 5), KNOWN)
    assert store.count_due(9, LIMITS) == DueJobs(0, 5)
    store.pass_time(5)
    store.enqueue_many([order("b", f"r{number}") for number in range(4)], KNOWN)
    with watch(store) as changed:
        assert store.count_due(9, LIMITS) == DueJobs(3, 0)
        assert store.count_due(2, LIMITS) == DueJobs(2, 0)
    assert changed == {}


def test_a_lane_above_its_limit_does_not_lower_the_count_of_others(store: ClockedStore, order: Orders) -> None:
    wide = DefaultLimits(burst=9, window=10, daily=1000)
    store.enqueue_many([order("a", f"r{number}") for number in range(6)], KNOWN)
    for number in range(5):
        store.release(make_consumer(f"w{number}", wide))
    store.limit("a", burst=1, daily=None, weight=None)
    store.enqueue_many([order("b", f"r{number}") for number in range(4)], KNOWN)
    assert store.count_due(9, wide).due == 4
