"""Events for Flower are kept until the next flush, and sending them delays no other thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import Celery

from lanes.queue.results import Released
from worker.delivery.flower_events import JobEvents
from worker.highlevel.outcomes import Outcome, OutcomeKind

SECONDS = 60.0
JOB = Released("id", "loc", 1, 0, 0.0, 0, "2021-07-28", b"{}")
DELIVERED = Outcome(OutcomeKind.DELIVERED, 200)


class SlowDispatcher:
    """Takes events as Celery's dispatcher does. To send them takes until `may_end` is set."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.began, self.may_end = threading.Event(), threading.Event()

    def send(self, kind: str, **fields: Any) -> None:
        self.sent.append((kind, fields))

    def flush(self) -> None:
        self.began.set()
        assert self.may_end.wait(SECONDS)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowDispatcher:
    dispatcher = SlowDispatcher()
    monkeypatch.setattr("worker.delivery.flower_events.EventDispatcher", lambda *_, **__: dispatcher)
    monkeypatch.setattr("worker.delivery.flower_events.FLUSH_SECONDS", 0)
    monkeypatch.setattr(Celery, "connection_for_write", lambda *_: None)
    return dispatcher


@contextmanager
def in_a_thread(work: Any) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=work)
    thread.start()
    yield thread
    thread.join(SECONDS)
    assert not thread.is_alive()


def test_while_one_thread_sends_the_others_do_not_wait(slow: SlowDispatcher) -> None:
    events = JobEvents(Celery(), "w")
    events.started(JOB)
    with in_a_thread(events.flush):
        assert slow.began.wait(SECONDS)
        events.succeeded(JOB, DELIVERED, 0.1)
        with in_a_thread(lambda: events.flush(soon=True)) as other:
            other.join(SECONDS)
            assert not other.is_alive()
        assert [kind for kind, _ in slow.sent] == ["task-received", "task-started"]
        slow.may_end.set()
    events.flush()
    assert [kind for kind, _ in slow.sent] == ["task-received", "task-started", "task-succeeded"]


def test_an_event_has_the_time_at_which_it_happened(slow: SlowDispatcher) -> None:
    slow.may_end.set()
    events = JobEvents(Celery(), "w")
    began = time.time()
    events.started(JOB)
    ended = time.time()
    events.succeeded(JOB, DELIVERED, 0.1)
    events.flush()
    times = [fields["timestamp"] for _, fields in slow.sent]
    assert began <= times[0] <= times[1] <= ended <= times[2]


def test_nothing_is_kept_when_events_are_off(slow: SlowDispatcher) -> None:
    slow.may_end.set()
    events = JobEvents(Celery(), "w", enabled=False)
    events.started(JOB)
    assert events.waiting == 0
