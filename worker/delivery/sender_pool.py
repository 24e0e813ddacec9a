"""The threads that send during a shift: a pool of their own, or the thread that Celery's pool gives to the shift."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

log = structlog.get_logger()


class InlineSender:
    """A shift with one thread, for pools of Celery that run many shifts at once in threads."""

    def __init__(self, seconds: float) -> None:
        self.ends_at = time.monotonic() + seconds

    def submit(self, work: Callable[[], object]) -> None:
        """Ignore it: there is no other thread."""


class SenderPool:
    """The threads of a pool process, which runs one shift at a time. Thread-safe.

    Threads outlast the shifts, and so do their connections. A thread with an open request at the end of a shift does
    not delay that end; it continues in the next shift. So a slow answer occupies no slot of the worker.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._threads = ThreadPoolExecutor(size, "sender")
        self._changed = threading.Condition()
        self._busy = 0
        self.ends_at = 0.0

    def open(self, seconds: float) -> None:
        """Let threads take jobs for this time."""
        self.ends_at = time.monotonic() + seconds

    def submit(self, work: Callable[[], object]) -> None:
        """Run this in a free thread, if there is one."""
        with self._changed:
            if self._busy >= self._size:
                return
            self._busy += 1
            self._threads.submit(self._run, work)

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception:
            log.exception("sender_failed")
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def wait_idle(self) -> None:
        """Wait until no thread is busy, or the shift is over."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, max(0.0, self.ends_at - time.monotonic()))

    def close(self) -> None:
        """Let no thread take another job, and wait for open requests."""
        with self._changed:
            self._size, self.ends_at = 0, 0.0
        self._threads.shutdown()
