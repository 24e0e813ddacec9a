"""The threads that send during a shift: a pool of their own, or the thread that Celery's pool gives to the shift."""

import contextlib
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

import structlog

from worker.delivery.sender_gauges import ProcessGauges
from worker.logging.unreadable import Reminder

log = structlog.get_logger()

IDLE_SECONDS = 10.0  # a thread without work for this time ends
FEW_THREADS = 16  # as many are started in any case
WORTH = 2.0  # beyond: while a request takes so many times as long as the search of a new thread for its first job
RETRY_SECONDS = 0.5  # and one after this time, to measure again
RESERVED_PART = 8  # one thread in so many is reserved for lanes below their fair share
MAX_SEARCHING = 8  # threads that ask Redis for their first job at a time
CPU_SECONDS = 0.5  # between two measurements of the CPU time
WEIGHT = 0.25  # of the last measurement in a moving average
Work = Callable[[], object]


class InlineSender:
    """A shift with one thread, for pools of Celery that run many shifts at once in threads."""

    def __init__(self, seconds: float) -> None:
        self.ends_at = time.monotonic() + seconds

    def submit(self, work: Work) -> None:
        """Ignore it: there is no other thread."""

    def mark_ready(self) -> None:
        """Ignore it."""

    def note_request(self, seconds: float) -> None:
        """Ignore it."""

    def claim(self) -> bool:
        """Send for any lane: nothing is reserved."""
        return True

    def unclaim(self) -> None:
        """Ignore it."""


class _Sender(threading.Thread):
    """A thread that runs what it is given. None, or no work for IDLE_SECONDS, ends it."""

    def __init__(self, pool: "SenderPool") -> None:
        super().__init__(name="sender", daemon=True)
        self.search_began = 0.0
        self.work: SimpleQueue[Work | None] = SimpleQueue()
        self._pool = pool

    def run(self) -> None:
        work = self.work.get()
        while work is not None:
            try:
                work()
            except Exception:
                log.exception("sender_failed")
            work = self._pool.next_work(self)


class SenderPool:
    """The threads of a pool process, which runs one shift at a time. Thread-safe.

    A thread is started when work comes and none is idle, up to `max_threads`: at most MAX_SEARCHING at a time, so that
    threads do not crowd to Redis for one job. Threads outlast the shifts, and so do their connections, until they are
    idle for IDLE_SECONDS. A thread with an open request at the end of a shift does not delay that end; it continues in
    the next shift. So a slow answer occupies no slot of the worker.

    One in RESERVED_PART of the threads sends only for lanes below their fair share. So slow locations cannot occupy all
    threads while nothing else is due.
    """

    def __init__(self, max_threads: int, gauges: ProcessGauges) -> None:
        self._max_threads = max_threads
        self._unreserved = threading.Semaphore(max_threads - max_threads // RESERVED_PART)
        self._gauges = gauges
        self._reminder = Reminder()
        self._changed = threading.Condition()
        self._threads: set[_Sender] = set()
        self._idle: list[_Sender] = []  # the last one in is the first one out, so that the others can end
        self._searching: set[_Sender] = set()  # they have not been told yet whether there is a job for them
        self._grew_at = self._search_seconds = self._request_seconds = 0.0
        self.ends_at = 0.0

    def open(self, seconds: float) -> None:
        """Let threads take jobs for this time."""
        self.ends_at = time.monotonic() + seconds

    def submit(self, work: Work) -> None:
        """Run this in an idle or a new thread, unless enough of them are searching for a job, or all are busy."""
        with self._changed:
            if len(self._searching) >= MAX_SEARCHING or not self._max_threads:
                return
            is_new = not self._idle
            if is_new and not self._may_grow():
                return
            sender = _Sender(self) if is_new else self._idle.pop()
            sender.search_began = time.monotonic()
            self._searching.add(sender)
            self._threads.add(sender)
            self._note_threads()
        sender.work.put(work)
        if is_new:
            self._start(sender)

    def _start(self, sender: _Sender) -> None:
        try:
            sender.start()
        except RuntimeError as error:  # the system allows no more threads; the others go on
            if self._reminder.passes(str(error)):
                log.warning("sender_not_started", threads=len(self._threads) - 1, error=str(error))
            with self._changed:
                self._threads.discard(sender)
                self._searching.discard(sender)
                self._note_threads()

    def mark_ready(self) -> None:
        """The calling thread has got its first job, or waits for it: another thread may be started."""
        with self._changed:
            sender = next((each for each in self._searching if each is threading.current_thread()), None)
            if sender is not None:
                seconds = time.monotonic() - sender.search_began
                self._search_seconds += (seconds - self._search_seconds) * WEIGHT
                self._searching.discard(sender)

    def note_request(self, seconds: float) -> None:
        """A request took this long."""
        self._request_seconds += (seconds - self._request_seconds) * WEIGHT

    def claim(self) -> bool:
        """Return whether the calling thread may send for any lane, until it calls `unclaim`; else it is reserved."""
        return self._unreserved.acquire(blocking=False)

    def unclaim(self) -> None:
        """The calling thread sends no more."""
        self._unreserved.release()

    def _may_grow(self) -> bool:
        """Return whether one more thread may be started and would wait for the API rather than for this process.

        In a process without free CPU time (`starved`), or with a slow Redis, a new thread waits long for its first job.
        """
        count = len(self._threads)
        starved = count >= FEW_THREADS and 0 < self._request_seconds < WORTH * self._search_seconds
        self._gauges.set(starved=starved)
        if count >= self._max_threads:
            return False
        now = time.monotonic()
        if starved and now - self._grew_at <= RETRY_SECONDS:
            return False
        self._grew_at = now
        return True

    def _note_threads(self) -> None:
        """Publish how many threads there are; the caller has the lock."""
        count = len(self._threads)
        busy = count - len(self._idle)
        self._gauges.set(threads=count, busy=busy)
        if not busy:
            self._gauges.set(starved=0)
            self._changed.notify_all()

    def next_work(self, sender: _Sender) -> Work | None:
        """Wait for the next work of a thread; None if it should end."""
        with self._changed:
            self._searching.discard(sender)
            if not self._max_threads:
                self._threads.discard(sender)
            else:
                self._idle.append(sender)
            self._note_threads()
            if not self._max_threads:
                return None
        with contextlib.suppress(Empty):
            return sender.work.get(timeout=IDLE_SECONDS)
        with self._changed:
            if sender in self._idle:
                self._idle.remove(sender)
                self._threads.discard(sender)
                self._note_threads()
                return None
        return sender.work.get()  # it came at the last moment

    def wait_idle(self) -> None:
        """Wait until no thread is busy, or the shift is over."""
        with self._changed:
            while self._gauges.get("busy") and (left := self.ends_at - time.monotonic()) > 0:
                self._changed.wait(min(left, CPU_SECONDS))
                self._gauges.set(cpu_seconds=time.process_time())

    def close(self) -> None:
        """Let no thread take another job, and wait for open requests."""
        with self._changed:
            self._max_threads, self.ends_at = 0, 0.0
            threads, idle = list(self._threads), self._idle
            self._idle = []
            self._threads.difference_update(idle)
            self._note_threads()
        for sender in idle:
            sender.work.put(None)
        for sender in threads:
            sender.join()
