"""Wakes a hand that waits for a job, in whichever process of the worker it is."""

import contextlib
import os
import select

MAX_WAKEUPS = 4096


class WakeupPipe:
    """One of those that wait hears a ring; a ring that nobody waits for is heard by the next who does.

    A pipe, made before the pool forks: a process that is killed at it leaves nothing locked, and a signal handler may
    ring.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)

    def wake(self) -> None:
        """Wake one. A pipe that is full of rings has woken whoever can be woken."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._writer, b"!")

    def wait(self, seconds: float) -> bool:
        """Wait for a ring, at most so long; tell whether there was one."""
        select.select([self._reader], [], [], max(0.0, seconds))
        try:
            return bool(os.read(self._reader, MAX_WAKEUPS))
        except BlockingIOError:  # none, or another was faster
            return False
