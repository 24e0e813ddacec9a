"""Who sends during a shift: a crew of threads, or the one that Celery's pool gives to each shift."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

log = structlog.get_logger()


class InlineSender:
    """A shift of one hand, which nobody can be hired to help: in a pool that has threads for many shifts at once."""

    def __init__(self, seconds: float) -> None:
        self.ends_at = time.monotonic() + seconds

    def submit(self, work: Callable[[], object]) -> None:
        """Nobody is there."""


class SenderPool:
    """The threads of a process to which Celery's pool gives one shift at a time. Thread-safe.

    They outlast the shifts, and so do the connections that they keep. A shift opens the crew for a while. A hand that
    is in the middle of a request when that time is over keeps no shift from its end, and goes on in the next one: no
    slot of the worker waits for a slow answer.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._threads = ThreadPoolExecutor(size, "sender")
        self._changed = threading.Condition()
        self._busy = 0
        self.ends_at = 0.0

    def open(self, seconds: float) -> None:
        """Let hands take jobs for so long from now."""
        self.ends_at = time.monotonic() + seconds

    def submit(self, work: Callable[[], object]) -> None:
        """Let a free thread do this, if there is one."""
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
        """Wait until no hand is at work, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, max(0.0, self.ends_at - time.monotonic()))

    def close(self) -> None:
        """Let no hand take another job, and wait until the last one has finished its request."""
        with self._changed:
            self._size, self.ends_at = 0, 0.0
        self._threads.shutdown()
