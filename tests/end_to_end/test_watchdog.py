"""A worker that is alive but takes no work recovers on its own. An idle worker is not touched."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.embedded.processes import Child
from ops.embedded.stack import Stack
from ops.sandbox import Fault, SandboxControl
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until
from worker.safety.consumer_watchdog import EX_SOFTWARE

ROOT = Path(__file__).parents[2]
# No shift may begin for so long: 0.3 + 3 * 0.7 s.
QUICK = {"watchdog_seconds": 1, "shift_seconds": 0.3, "http_timeout_seconds": 0.7, "lease_seconds": 3}
SILENCE = 2.4
ANEW = "worker_stuck"


def start_broken(stack: Stack, fault: str, *options: str) -> Child:
    command = ["celery", "-A", "tests.end_to_end.broken_worker", "worker", "--loglevel", "info", *options]
    worker = stack.start("worker", command, PYTHONPATH=str(ROOT), FAULT=fault)
    until(lambda: " ready." in worker.output, "the worker to be ready")
    return worker


def work(stack: Stack, jobs: int, location: str = "loc") -> None:
    made = store_of(stack).counts()["accepted"]
    producer_of(stack).enqueue_many(row(location, f"contact-{made + number}") for number in range(jobs))


@pytest.mark.parametrize("pool", ["prefork", "gevent"])
def test_a_consumer_that_reads_nothing_is_restarted(make_stack: Callable[..., Stack], pool: str) -> None:
    stack = make_stack(**QUICK)
    worker = start_broken(stack, "deaf", "--pool", pool, "--concurrency", "2")
    work(stack, 5)
    until(lambda: ANEW in worker.output, "the watchdog to see it")
    until(lambda: all_done(store_of(stack)), "every job delivered")
    assert worker.status is None


def test_a_cancelled_queue_is_consumed_again(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(**QUICK)
    worker = start_broken(stack, "cancelled", "--concurrency", "2")
    work(stack, 5)
    until(lambda: ANEW in worker.output, "the watchdog to see it")
    until(lambda: all_done(store_of(stack)), "every job delivered")
    assert worker.status is None


def test_a_worker_that_stands_still_ends(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(**QUICK)
    worker = start_broken(stack, "still", "--concurrency", "2")
    until(lambda: worker.status is not None, "the worker to end")
    assert worker.status == EX_SOFTWARE
    assert "lanes: the worker takes no work" in worker.output
    until(lambda: not group_of(worker), "its processes to end")
    work(stack, 5)
    stack.start_worker("two", "--concurrency", "2")
    until(lambda: all_done(store_of(stack)), "every job delivered by the next one")


def group_of(worker: Child) -> list[int]:
    """The processes of a worker that are there."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text("utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == worker.pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_healthy_worker_is_left_alone(make_stack: Callable[..., Stack], pool: str) -> None:
    """Idle, held, throttled, with long requests, while Redis is paused, and after the worker was paused itself."""
    stack = make_stack("--latency", "0.4", **QUICK)
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    worker = stack.start_worker("one", "--pool", pool, "--concurrency", "2")
    time.sleep(1.5 * SILENCE)  # idle
    store.hold("held", "a reason", "operator")
    work(stack, 3, "held")
    control.inject(Fault(kind="status", status=429, times=1, retry_after=round(1.5 * SILENCE)))
    work(stack, 8)
    until(lambda: store.counts()["pending"] == 3, "all but those that are held delivered")
    stop_for(store.client.info("server")["process_id"], 1.2 * SILENCE)
    stop_for(worker.pid, 1.2 * SILENCE)
    store.resume("held")
    until(lambda: all_done(store), "every job delivered")
    assert worker.status is None
    assert ANEW not in worker.output


def stop_for(pid: int, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
