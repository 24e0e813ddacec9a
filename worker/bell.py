"""Wakes a hand that waits for a job, in whichever process of the worker it is."""

import contextlib
import os
import select

ALL_RINGS = 4096


class Bell:
    """One of those that wait hears a ring; a ring that nobody waits for is heard by the next who does.

    A pipe, made before the pool forks: a process that is killed at it leaves nothing locked, and a signal handler may
    ring.
    """

    def __init__(self) -> None:
        self._hear, self._ring = os.pipe()
        for end in (self._hear, self._ring):
            os.set_blocking(end, False)

    def ring(self) -> None:
        """Wake one. A pipe that is full of rings has woken whoever can be woken."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._ring, b"!")

    def wait(self, seconds: float) -> bool:
        """Wait for a ring, at most so long; tell whether there was one."""
        select.select([self._hear], [], [], max(0.0, seconds))
        try:
            return bool(os.read(self._hear, ALL_RINGS))
        except BlockingIOError:  # none, or another was faster
            return False
