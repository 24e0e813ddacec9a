"""A job of an idle lane waits for nothing but its release: each case is an interleaving that once delayed it."""

import gc
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from lanes.queue.results import Idle, Released, Result
from lanes.queue.transitions import Consumer
from tests.helpers import row
from tests.worker.delivery.sender import worker_of
from worker.delivery import shift
from worker.delivery.dispatcher import YIELD_SECONDS, Dispatcher
from worker.delivery.sender_pool import InlineSender
from worker.delivery.shift import SenderThread
from worker.safety.supervisor import LoopFailures
from worker.task_names import SHIFT_TASK

OBJECTS = 20_000  # of the more than 80,000 with which a process begins


def test_a_woken_thread_releases_before_it_sends_events(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker may take long."""
    with worker_of(redis_url, "http://127.0.0.1:1") as worker:
        done: list[str] = []
        monkeypatch.setattr(type(worker.context.events), "flush", lambda *_, **__: done.append("flush"))
        release = worker.store.release

        def note_release(consumer: Consumer) -> Result:
            done.append("release")
            return release(consumer)

        monkeypatch.setattr(worker.store, "release", note_release)
        worker.producer.enqueue(row("loc", "contact"))
        worker.context.wakeup.wake()
        assert isinstance(SenderThread(worker.context, InlineSender(60))._wait_for_job(Idle(None)), Released)
        assert done[0] == "release"


@pytest.mark.parametrize(("busy", "found"), [(1, type(None)), (2, Released)])
def test_a_thread_waits_as_long_as_another_one_sends(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, busy: int, found: type
) -> None:
    """The shift goes on anyway. Without the thread, a job that comes then would wait for an answer."""
    monkeypatch.setattr(shift, "LINGER_SECONDS", 0.0)
    with worker_of(redis_url, "http://127.0.0.1:1") as worker:
        worker.context.gauges.set(busy=busy)
        worker.producer.enqueue(row("loc", "contact"))
        wakeups = iter([False, True])
        monkeypatch.setattr(type(worker.context.wakeup), "wait", lambda *_: next(wakeups))
        assert isinstance(SenderThread(worker.context, InlineSender(60))._wait_for_job(Idle(None)), found)


def test_a_reserved_thread_leaves_a_wakeup_to_others(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is woken for a lane that has its fair share in flight, and then waits without listening."""
    with worker_of(redis_url, "http://127.0.0.1:1") as worker:
        context = worker.context
        for number in range(10):
            worker.producer.enqueue(row("loc", f"contact-{number}"))
        for number in range(8):
            worker.store.release(Consumer(f"thread{number}", 60, 3600, context.limits))
        monkeypatch.setattr(InlineSender, "claim", lambda _: False)
        thread = SenderThread(context, InlineSender(60))
        context.wakeup.wake()
        found = thread._wait_for_job(Idle(None))
        assert isinstance(found, Idle)
        assert found.reserved
        assert thread._wait_for_job(found) == found
        assert context.wakeup.wait(0)


@pytest.mark.parametrize("waiting", [0, 1])
def test_the_dispatcher_lets_a_waiting_thread_go_first_and_waits_for_none_else(redis_url: str, waiting: int) -> None:
    """A shift has just ended, or its last thread has left, when a job comes."""
    with worker_of(redis_url, "http://127.0.0.1:1") as worker:
        worker.producer.enqueue(row("loc", "contact"))
        worker.context.all_gauges.of_process(1).set(waiting=waiting)
        sent: list[str] = []
        dispatcher = dispatcher_of(worker.context, sent)
        assert dispatcher._dispatch() > 0
        assert len(sent) == 1
        assert dispatcher._stopping.pauses == [YIELD_SECONDS] * waiting  # type: ignore[attr-defined]


def dispatcher_of(context: Any, sent: list[str]) -> Dispatcher:
    """A dispatcher of a worker with a shift and two free slots."""
    task = SimpleNamespace(apply_async=lambda task_id, **_: sent.append(task_id))
    tracker = SimpleNamespace(shifts=1, starting=0, mark_sent=lambda _: None)
    dispatcher = Dispatcher(
        SimpleNamespace(tasks={SHIFT_TASK: task}),
        SimpleNamespace(num_processes=4),
        context,
        shift_tracker=tracker,  # type: ignore[arg-type]
        watchdog=SimpleNamespace(needs_heartbeat=lambda: False),  # type: ignore[arg-type]
        failures=LoopFailures(),
    )
    pauses: list[float] = []
    dispatcher._stopping = SimpleNamespace(  # type: ignore[assignment]
        pauses=pauses, wait=pauses.append, is_set=lambda: False
    )
    return dispatcher


FIRST_JOB = """
from celery import signals
from lanes.storage import scripts
from worker.app import load_app
from worker.delivery.dispatcher import Dispatcher
runtime = load_app().runtime
signals.worker_init.send(sender=None)
loaded = scripts._load.cache_info().misses
runtime.begin_process()
store = runtime.context("one@host").store
for name in scripts.names():
    store.script(name)
print(loaded, scripts._load.cache_info().misses - loaded)
"""


def test_the_scripts_are_loaded_before_the_pool_forks() -> None:
    """Each process needed about half a second of CPU for them before its first job."""
    done = subprocess.run([sys.executable, "-c", FIRST_JOB], capture_output=True, text=True, check=True)
    loaded, later = map(int, done.stdout.split())
    assert loaded > 0
    assert later == 0


BEGIN = """
import gc, os
from worker.app import load_app
from worker.delivery import shift
from worker.delivery.dispatcher import Dispatcher
load_app().runtime.begin_process()
print(len(gc.get_objects()))
"""


def test_a_pool_process_never_examines_what_it_was_born_with() -> None:
    """Its first full garbage collection would copy all of that, and stop every thread for about 80 ms."""
    done = subprocess.run([sys.executable, "-c", BEGIN], capture_output=True, text=True, check=True)
    assert int(done.stdout) < OBJECTS
    assert gc.isenabled()
