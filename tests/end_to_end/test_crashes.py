"""Processes killed in the middle of their work: every accepted job still ends delivered or dead."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from lanes.checks.consistency import check_consistency
from lanes.errors import RedisUnavailableError
from lanes.queue.job import State
from lanes.queue.store import LaneStore
from ops.embedded.stack import Stack
from ops.sandbox import SandboxControl
from producers import OpportunityProducer
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until

LOCATIONS = [f"loc-{number}" for number in range(6)]
FAST_LEASE = {"lease_seconds": 4, "http_timeout_seconds": 3, "backoff_max_seconds": 1}


def rows_of(updates: int, contacts: int) -> list[dict[str, object]]:
    """Several updates of each record: the last one must be what the server has in the end."""
    return [
        row(location, f"contact-{contact}", monetaryValue=update)
        for update in range(updates)
        for contact in range(contacts)
        for location in LOCATIONS
    ]


def check_nothing_lost(store: LaneStore, control: SandboxControl, ids: list[str], last: int) -> None:
    counts = store.counts()
    assert counts["accepted"] == len(ids) == len(set(ids))
    assert counts["delivered"] + counts["dead"] == len(ids)
    assert {job.state for job in store.jobs(ids) if job} <= {State.DELIVERED, State.DEAD}
    assert list(check_consistency(store)) == []
    assert control.summary()["throttled"] == 0
    assert control.summary()["overlaps"] == []
    records = control.records()
    if counts["dead"] == 0:
        assert {record["monetaryValue"] for record in records} == {last}


def test_ten_workers_killed_in_mid_request(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--latency", "0.05-0.15", **FAST_LEASE)
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    ids = producer_of(stack).enqueue_many(rows_of(updates=8, contacts=12)).job_ids
    chance = random.Random(7)
    for number in range(10):
        worker = stack.start_worker(f"killed{number}")
        seen = control.summary()["requests"] + chance.randrange(4, 30)
        until(lambda seen=seen: control.summary()["requests"] >= seen or all_done(store), "some requests")  # type: ignore[misc]
        worker.kill()
        stack.children.remove(worker)
    in_mid_request = store.counts()["in_flight"]
    stack.start_worker("last")
    until(lambda: all_done(store), "every job delivered or dead")
    check_nothing_lost(store, control, ids, last=7)
    assert in_mid_request > 0
    assert store.counts()["reclaimed"] > 0


def enqueue_insisting(producer: OpportunityProducer, rows: list[dict[str, object]], stop: Event) -> list[str]:
    """Do as a service does: the same row with the same idempotency key, until Redis takes it."""
    ids = []
    for number, each in enumerate(rows):
        while not stop.is_set():
            try:
                ids.append(producer.enqueue(each, idempotency_key=f"row-{number}").job_id)
            except RedisUnavailableError:
                stop.wait(0.05)
            else:
                break
    return ids


def test_redis_killed_and_started_again(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--latency", "0.05-0.15", **FAST_LEASE)
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    stack.start_worker("one")
    stop = Event()
    rows = rows_of(updates=5, contacts=12)
    with ThreadPoolExecutor(1) as pool:
        enqueued = pool.submit(enqueue_insisting, producer_of(stack), rows, stop)
        try:
            for kill in range(1, 4):
                until(lambda kill=kill: control.summary()["requests"] >= 50 * kill, "requests before the kill")  # type: ignore[misc]
                stack.redis.kill()
                stack.redis.start()
            until(enqueued.done, "all rows accepted")
        finally:
            stop.set()
    ids = enqueued.result()
    until(lambda: all_done(store), "every job delivered or dead")
    check_nothing_lost(store, control, ids, last=4)
