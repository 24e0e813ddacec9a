"""Wakes a sender thread that waits for a job, in any process of the worker."""

import contextlib
import os
import select

MAX_WAKEUPS = 4096


class WakeupPipe:
    """Each wake-up reaches one waiting thread; without one, it reaches the next thread that waits.

    A pipe, made before the pool forks: a killed process leaves nothing locked, and a signal handler may call `wake`.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)

    def wake(self) -> None:
        """Wake one thread. A full pipe has enough wake-ups already."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._writer, b"!")

    def wait(self, seconds: float) -> bool:
        """Wait at most this long; return whether there was a wake-up."""
        select.select([self._reader], [], [], max(0.0, seconds))
        try:
            return bool(os.read(self._reader, MAX_WAKEUPS))
        except BlockingIOError:  # there was none, or another thread took it
            return False
