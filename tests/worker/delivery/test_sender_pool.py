"""Sender threads come with the work and go without it; none of the work is lost."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from queue import Empty, Queue
from typing import Any

import pytest

from tests.helpers import until
from worker.delivery import sender_pool as module
from worker.delivery.sender_gauges import ProcessGauges, SenderGauges
from worker.delivery.sender_pool import SenderPool

MAX_THREADS = 24


@pytest.fixture
def gauges() -> ProcessGauges:
    return SenderGauges().of_process(0)


class Jobs:
    """Work that is a request: it has found a job, lets the pool start another thread, and waits for its answer."""

    def __init__(self, pool: SenderPool) -> None:
        self.pool = pool
        self.open = 0
        self.answered = threading.Event()

    def __call__(self) -> None:
        self.open += 1
        self.pool.mark_ready()
        self.answered.wait()

    def has_opened(self, count: int) -> bool:
        return self.open >= count

    def fill(self, count: int) -> None:
        for number in range(1, count + 1):
            self.pool.submit(self)
            until(partial(self.has_opened, number), f"thread {number} at work")


@pytest.fixture
def pool(gauges: ProcessGauges) -> Iterator[SenderPool]:
    pool = SenderPool(MAX_THREADS, gauges)
    pool.open(600)
    yield pool
    pool.close()


@pytest.fixture
def jobs(pool: SenderPool) -> Iterator[Jobs]:
    jobs = Jobs(pool)
    yield jobs
    jobs.answered.set()


def test_threads_are_started_up_to_the_maximum_and_are_told(
    pool: SenderPool, jobs: Jobs, gauges: ProcessGauges
) -> None:
    jobs.fill(MAX_THREADS)
    pool.submit(jobs)
    assert (gauges.get("threads"), gauges.get("busy")) == (MAX_THREADS, MAX_THREADS)
    jobs.answered.set()
    pool.wait_idle()
    assert (gauges.get("threads"), gauges.get("busy"), jobs.open) == (MAX_THREADS, 0, MAX_THREADS)


def test_few_threads_search_for_a_job_at_a_time(pool: SenderPool, gauges: ProcessGauges) -> None:
    begun, found = threading.Semaphore(0), threading.Event()

    def search() -> None:
        begun.release()
        found.wait()

    for _ in range(MAX_THREADS):
        pool.submit(search)
    begun.acquire()
    threads = gauges.get("threads")
    found.set()
    assert threads == module.MAX_SEARCHING


def test_an_idle_thread_ends_and_its_connection_with_it(
    pool: SenderPool, jobs: Jobs, gauges: ProcessGauges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    local, closed = threading.local(), threading.Event()

    class Connection:
        def __del__(self) -> None:
            closed.set()

    def request() -> None:
        local.connection = Connection()

    pool.submit(request)
    until(closed.is_set, "the connection closed")
    until(lambda: not gauges.get("threads"), "no thread")
    jobs.fill(3)
    jobs.answered.set()


def test_work_that_comes_as_a_thread_ends_is_done(pool: SenderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    late, given, done = threading.Event(), threading.Event(), threading.Event()

    class LateQueue(Queue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            if timeout is not None and not given.is_set():
                late.set()
                given.wait()
                raise Empty
            return super().get(block, timeout)

    monkeypatch.setattr(module, "SimpleQueue", LateQueue)
    pool.submit(lambda: None)
    late.wait()
    pool.submit(done.set)
    given.set()
    assert done.wait(10)


def test_the_last_thread_that_was_used_is_the_next_one(pool: SenderPool, jobs: Jobs) -> None:
    """So the others can end while a little work comes all the time."""
    used: list[threading.Thread] = []
    jobs.fill(4)
    jobs.answered.set()
    pool.wait_idle()
    for _ in range(8):
        pool.submit(lambda: used.append(threading.current_thread()))
        until(lambda: not pool._searching)
        pool.wait_idle()
    assert len(set(used)) == 1


def test_where_the_system_allows_no_thread_the_others_go_on(
    pool: SenderPool,
    jobs: Jobs,
    gauges: ProcessGauges,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    jobs.fill(1)

    def refuse(_: Any) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            pool.submit(jobs)
        assert gauges.get("threads") == 1
        assert capfd.readouterr().out.count("sender_not_started") == 1
    jobs.fill(2)
    jobs.answered.set()


def test_a_process_without_cpu_time_starts_no_more_threads(
    pool: SenderPool, jobs: Jobs, gauges: ProcessGauges, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that takes as long as a request means that a thread waits for this process, not for the API."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 600.0)
    jobs.fill(module.FEW_THREADS)
    pool._search_seconds, pool._request_seconds = 0.02, 0.03
    pool.submit(jobs)
    assert (gauges.get("threads"), gauges.get("starved")) == (module.FEW_THREADS, 1)
    pool._request_seconds = 0.4
    jobs.fill(module.FEW_THREADS + 1)
    assert gauges.get("starved") == 0
    pool._request_seconds = 0.03
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    jobs.fill(module.FEW_THREADS + 2)  # it measures again
    jobs.answered.set()


def test_a_shift_ends_with_its_time_and_a_slow_request_goes_on(
    pool: SenderPool, jobs: Jobs, gauges: ProcessGauges
) -> None:
    jobs.fill(1)
    pool.open(0.01)
    pool.wait_idle()
    assert gauges.get("busy") == 1
    assert gauges.get("cpu_seconds") > 0
    jobs.answered.set()


def test_the_end_waits_for_open_requests(pool: SenderPool, jobs: Jobs, gauges: ProcessGauges) -> None:
    jobs.fill(3)
    closing = threading.Thread(target=pool.close)
    closing.start()
    pool.submit(jobs)
    assert closing.is_alive()
    jobs.answered.set()
    closing.join(60)
    assert (gauges.get("threads"), jobs.open) == (0, 3)


def test_a_process_that_takes_the_place_of_a_dead_one_begins_at_zero() -> None:
    gauges = SenderGauges()
    gauges.of_process(2).set(threads=5, busy=5, waiting=1)
    assert gauges.is_waited
    assert len(gauges.used) == 1
    gauges.of_process(2)
    assert not gauges.is_waited
    assert gauges.used == []


def test_time_is_measured(pool: SenderPool) -> None:
    pool.note_request(1.0)

    def search() -> None:
        time.sleep(0.01)
        pool.mark_ready()

    pool.submit(search)
    pool.wait_idle()
    assert pool._request_seconds == module.WEIGHT
    assert pool._search_seconds >= module.WEIGHT * 0.01
