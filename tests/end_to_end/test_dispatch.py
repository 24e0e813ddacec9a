"""Shifts are started for due jobs and free slots, no more and no fewer, in every pool."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from lanes.activity.series import lane_day, last_day, last_hour, since_the_beginning
from lanes.queue.job import State
from lanes.storage.keys import DEFAULT_PREFIX
from ops.embedded.processes import Child
from ops.embedded.stack import Stack
from ops.sandbox import Fault, FaultKind, SandboxControl
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until
from worker.app import load_app

POOLS = {
    "prefork": (["--concurrency", "3"], 4),  # two processes that send, with two threads each
    "threads": (["--pool", "threads", "--concurrency", "5"], 4),
    "gevent": (["--pool", "gevent", "--concurrency", "5"], 4),
    "solo": (["--pool", "solo"], 2),
}


def fill(stack: Stack, jobs: int) -> None:
    """Make more lanes due than there are slots."""
    producer_of(stack).enqueue_many(row(f"loc-{number % 20}", f"contact-{number}") for number in range(jobs))


def max_open(stack: Stack) -> int:
    most: int = SandboxControl(stack.sandbox_url).summary()["max_open"]
    return most


@pytest.mark.parametrize("pool", POOLS)
def test_the_capacity_of_a_pool_is_used_and_not_exceeded(make_stack: Callable[..., Stack], pool: str) -> None:
    options, slots = POOLS[pool]
    stack = make_stack("--latency", "0.3", shift_threads=2, shift_seconds=1)
    store = store_of(stack)
    fill(stack, 40)
    stack.start_worker("one", *options)
    until(lambda: all_done(store), "every job delivered")
    assert max_open(stack) == slots
    assert store.counts()["delivered"] == 40
    until(lambda: last_hour(store).waits.total == last_hour(store).answers.total == 40, "every duration written")
    until(lambda: last_hour(store).total("delivered") == 40, "every delivery in the series")


def test_capacity_comes_and_goes_with_the_workers(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--latency", "0.3", shift_threads=2, shift_seconds=1, lease_seconds=3, http_timeout_seconds=2)
    store = store_of(stack)
    fill(stack, 150)
    store.hold("mistyped", "why", "ada")
    store.resume("mistyped")
    one = stack.start_worker("one", *POOLS["prefork"][0])
    until(lambda: max_open(stack) == 4, "the slots of one worker at work")
    stack.start_worker("two", *POOLS["prefork"][0])
    until(lambda: max_open(stack) == 8, "the slots of both at work")
    until(lambda: not store.is_location("mistyped"), "the end of the idle lane")
    one.kill()
    until(lambda: all_done(store), "every job delivered")
    assert max_open(stack) == 8
    assert store.counts()["delivered"] == 150
    # The killed worker's last durations are lost, but no count.
    until(lambda: last_day(store).total("delivered") == last_day(store).total("accepted") == 150, "a complete series")
    until(
        lambda: sum(lane_day(store, f"loc-{number}").total("delivered") for number in range(20)) == 150, "of each lane"
    )
    assert 0 < since_the_beginning(store).waits.total <= 150


def test_slow_locations_leave_threads_for_others(make_stack: Callable[..., Stack]) -> None:
    """One of eight threads is reserved. It sends a job that comes later, before any slow answer has come."""
    stack = make_stack(shift_threads=16, http_timeout_seconds=100, lease_seconds=120)
    sandbox, store, producer = SandboxControl(stack.sandbox_url), store_of(stack), producer_of(stack)
    sandbox.inject(Fault(kind=FaultKind.TIMEOUT, location="slow", delay_seconds=100))
    producer.enqueue_many(row("slow", f"contact-{number}") for number in range(40))
    worker = stack.start_worker("one", "--concurrency", "2")
    until(lambda: max_open(stack) >= 14, "the slow location at work")
    for number in range(3):
        job = producer.enqueue(row("fast", f"contact-{number}"))
        until(lambda job=job: producer.status(job.job_id).state is State.DELIVERED, "the other location served")  # type: ignore[misc]
    counts = store.counts()
    assert (counts["in_flight"], counts["delivered"]) == (14, 3)
    worker.kill()


def test_shifts_do_not_pile_up_in_celery(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--latency", "0.1", shift_threads=2, shift_seconds=1)
    store = store_of(stack)
    fill(stack, 300)
    stack.start_worker("one", *POOLS["prefork"][0])
    longest = 0

    def done() -> bool:
        nonlocal longest
        with_messages = store.client.scan_iter(f"{DEFAULT_PREFIX}celery:*", _type="list")
        longest = max(longest, sum(store.client.llen(name) for name in with_messages))
        return all_done(store)

    until(done, "every job delivered")
    assert longest <= 2


def test_a_lane_that_trickles_starts_few_shifts(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--latency", "0.02")
    producer, store = producer_of(stack), store_of(stack)
    worker = stack.start_worker("one")
    for number in range(60):
        producer.enqueue(row("hot", f"contact-{number}"))
        time.sleep(0.1)
    until(lambda: all_done(store), "every job delivered")
    assert 1 <= shifts_of(stack, worker) <= 12


def shifts_of(stack: Stack, worker: Child) -> int:
    """Return how many shifts a worker has started."""
    assert worker.status is None
    app = load_app()
    app.conf.broker_url = stack.redis.url
    with app.connection_for_write() as connection:
        replies: dict[str, Any] = app.control.inspect(connection=connection, timeout=5).stats()
    return sum(int(one["total"].get("work_shift", 0)) for one in replies.values())


def test_shifts_are_started_again_once_redis_takes_their_messages(make_stack: Callable[..., Stack]) -> None:
    """Redis refuses writes by ACL here, as a full Redis does; the consumer only reads and is not affected."""
    stack = make_stack()
    store = store_of(stack)
    stack.start_worker("one")
    store.client.execute_command("ACL", "SETUSER", "default", "-lpush")  # type: ignore[no-untyped-call]
    producer_of(stack).enqueue(row("loc", "contact"))
    until(lambda: any(entry["object"] == "lpush" for entry in store.client.acl_log()), "a shift's message refused")
    store.client.execute_command("ACL", "SETUSER", "default", "+lpush")  # type: ignore[no-untyped-call]
    until(lambda: all_done(store), "the job delivered")
