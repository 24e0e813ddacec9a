"""reclaim and expire: what they change of the whole of Redis. check_jobs and read_jobs change nothing."""

from typing import Any

import pytest

from lanes.checks.check_store import CheckStore
from lanes.queue.job import Attempt, State
from lanes.queue.results import Reclaimed
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.whole_state import KEPT, KNOWN, dead_letter_indexed, fields_of, report, send, watch

RECORD = "pipe/contact"
LOST = {"attempts:job1": '1 lost t+0 t+60 {"message":"the lease ended without a report","worker":"w1"}'}


def test_a_lease_that_lasts_is_left_alone(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    send(store)
    store.pass_time(59)
    with watch(store) as changed:
        assert store.reclaim(9, 3) == []
    assert changed == {}


def test_a_job_whose_lease_has_ended_is_requeued_in_order(store: ClockedStore, order: Orders) -> None:
    """Its slot stays taken: the request may have been sent."""
    store.enqueue_many([order(expires_at=START + 100, priority=1), order()], KNOWN)
    send(store)
    store.pass_time(60)
    with watch(store) as changed:
        assert store.reclaim(9, 2) == [Reclaimed("job1", "loc", 1, buried=False)]
        assert store.reclaim(9, 2) == []
    assert changed == LOST | {
        **fields_of("job:job1", state="in_flight -> pending", failures="1"),
        **fields_of("lane:loc", in_flight="1 -> 0", pending="1 -> 2", reclaimed="1"),
        "leases.job1": "t+60 -> gone",
        "ready:loc.job1": "-99999999999999",
        "due.loc": "t+60",
        "expiring.job1": "t+100",
    }


def test_a_job_whose_last_lease_has_ended_is_dead_and_its_record_goes_on(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(), order()], KNOWN)
    send(store)
    store.pass_time(60)
    with watch(store) as changed:
        assert store.reclaim(9, 1) == [Reclaimed("job1", "loc", 1, buried=True)]
    assert changed == LOST | dead_letter_indexed() | {
        **fields_of("job:job1", state="in_flight -> dead", failures="1", reason="exhausted", ended_at="t+60"),
        **fields_of("lane:loc", in_flight="1 -> 0", dead="1"),
        "dead.job1": "t+60",
        "leases.job1": "t+60 -> gone",
        f"active:loc.{RECORD}": "job1 -> job2",
        f"blocked:loc:{RECORD}": "job2 -> gone",
        "ready:loc.job2": "2",
        "due.loc": "t+60",
    }


def test_an_unreported_attempt_of_a_delivered_job_only_lets_its_record_go_on(
    store: ClockedStore, order: Orders
) -> None:
    store.enqueue_many([order(), order()], KNOWN)
    first = send(store)
    store.pass_time(60)
    store.reclaim(9, 3)
    send(store, "w2")
    store.deliver(report(first), retention=KEPT)
    store.pass_time(60)
    with watch(store) as changed:
        assert store.reclaim(9, 3) == []
    assert changed == {
        "lane:loc.redundant": "1 -> 0",
        "leases.job1": "t+120 -> gone",
        **dict.fromkeys(("job:job1 ttl", "attempts:job1 ttl"), "60 min"),
        f"active:loc.{RECORD}": "job1 -> job2",
        f"blocked:loc:{RECORD}": "job2 -> gone",
        "ready:loc.job2": "2",
        "due.loc": "t+120",
    }


def test_a_call_reclaims_at_most_its_limit_the_oldest_first(store: ClockedStore, order: Orders) -> None:
    store.limit("loc", burst=9, daily=None, weight=None)
    store.enqueue_many([order(record=f"r{number}") for number in range(3)], KNOWN)
    for number in range(3):
        send(store, f"w{number}")
        store.pass_time(1)
    store.pass_time(60)
    assert [job.id for job in store.reclaim(2, 3)] == ["job1", "job2"]
    assert [job.id for job in store.reclaim(2, 3)] == ["job3"]


def gone(job_id: str, place: dict[str, str]) -> dict[str, str]:
    """What becomes of a job that expires."""
    return (
        place
        | dead_letter_indexed(job_id)
        | {
            **fields_of(f"job:{job_id}", state="pending -> expired", reason="expired", ended_at="t+5"),
            f"dead.{job_id}": "t+5",
            f"expiring.{job_id}": "t+5 -> gone",
            **fields_of("lane:loc", pending="2 -> 1", expired="1"),
        }
    )


def test_an_active_job_that_expires_lets_its_record_go_on(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(expires_at=START + 5), order()], KNOWN)
    store.pass_time(5)
    with watch(store) as changed:
        assert store.expire(9) == ["job1"]
        assert store.expire(9) == []
    place = {
        "ready:loc.job1": "1 -> gone",
        "ready:loc.job2": "2",
        f"active:loc.{RECORD}": "job1 -> job2",
        f"blocked:loc:{RECORD}": "job2 -> gone",
    }
    assert changed == gone("job1", place)


def test_a_blocked_job_expires_in_place(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(), order(expires_at=START + 5)], KNOWN)
    store.pass_time(5)
    with watch(store) as changed:
        assert store.expire(9) == ["job2"]
    assert changed == gone("job2", {f"blocked:loc:{RECORD}": "job2 -> gone"})


def test_a_job_in_flight_does_not_expire(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(expires_at=START + 5), KNOWN)
    job = send(store)
    store.pass_time(50)
    with watch(store) as changed:
        assert store.expire(9) == []
    assert changed == {}
    store.retry(report(job), delay=100)
    assert store.expire(9) == ["job1"]


def test_read_jobs_reads_jobs_whole(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    job = send(store)
    store.pass_time(3)
    store.retry(report(job), delay=1)
    with watch(store) as changed:
        nobody, found = store.read_jobs(["nobody", "job1"])
    assert changed == {}
    assert nobody is None
    assert found is not None
    assert (found.id, found.state, found.body, found.failures) == ("job1", State.PENDING, {"n": 1}, 1)
    assert found.attempts == (Attempt(1, "retry", START, START + 3, {"status": 200}),)


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        (("zrem", "ready:loc", "job1"), "waits in 0 places, not 1"),
        (("zadd", "delayed:loc", 5, "job1"), "waits in 2 places, not 1"),
        (("zadd", "dead", 5, "job1"), "dead letters and state disagree"),
        (("zadd", "leases", 5, "job1"), "pending, with a lease"),
        (("hdel", "active:loc", RECORD), "its position and the active job of its record disagree"),
        (("zrem", "due", "loc"), "its lane is never due"),
        (("del", "body:job1"), "its body is missing, so it cannot be sent"),
        (("hset", "job:job1", "state", "in_flight"), "in flight without a lease, or not the active job of its record"),
        (("hset", "job:job1", "state", "delivered"), "done, but still the active job of its record"),
    ],
)
def test_check_jobs_finds_misplaced_jobs(
    store: ClockedStore, order: Orders, broken: tuple[str | int, ...], line: str
) -> None:
    store.enqueue(order(), KNOWN)
    check_consistency = CheckStore(store)
    assert check_consistency.check_jobs(["job1", "nobody"]) == []
    command, key, *values = broken
    client: Any = store.client
    client.execute_command(command, f"{store.prefix}{key}", *values)
    with watch(store) as changed:
        found = check_consistency.check_jobs(["job1", "nobody"])
    assert changed == {}
    assert [text for _, _, text in found if line in text]


def test_check_jobs_finds_leftovers_of_missing_jobs(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    store.deliver(report(send(store)), retention=KEPT)
    check_consistency = CheckStore(store)
    assert check_consistency.check_jobs(["job1"]) == []
    store.client.persist(store.key("done", "job1"))
    assert check_consistency.check_jobs(["job1"]) == [
        ("job1", "ttl", "done, but without a time to live (delivered, location loc)")
    ]
    store.client.delete(store.key("done", "job1"))
    store.client.set(store.key("body", "job1"), "{}")
    assert check_consistency.check_jobs(["job1"])[0] == ("job1", "body", "a body without a job")


def test_a_missing_job_keeps_no_other_from_expiring(store: ClockedStore, order: Orders) -> None:
    store.client.zadd(store.key("expiring"), {"nobody": 1})
    store.enqueue(order(expires_at=START + 5), KNOWN)
    store.pass_time(6)
    assert store.expire(10) == ["job1"]
    assert store.client.zcard(store.key("expiring")) == 0
