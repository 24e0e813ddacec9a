"""Logs once that Redis is unavailable, a reminder each minute, and once that it is available again."""

import contextlib
import mmap
import os
import struct
import time

import structlog

log = structlog.get_logger()

REMIND_SECONDS = 60.0
SETTLE_SECONDS = 3.0


class RedisAvailability:
    """Shared by all threads and processes of a worker, made before its pool forks: one of them logs for all.

    After Redis has come back, calls that were interrupted before may still report errors: these are ignored for a few
    seconds. A caller retries, so a new outage is reported soon after.
    """

    def __init__(self) -> None:
        self._may_log_unavailable, self._may_log_available = PipeSemaphore(), PipeSemaphore()
        self._may_log_unavailable.release()
        # Times of `time.monotonic()`, the same in all processes: unavailable since, last logged, available since.
        self._times = mmap.mmap(-1, 24)

    @property
    def is_unavailable(self) -> bool:
        """Whether the last known state is unavailable."""
        return bool(struct.unpack_from("d", self._times)[0])

    def mark_unavailable(self, error: Exception) -> None:
        """Note that a call to Redis failed."""
        now = time.monotonic()
        unavailable_since, logged_at, available_since = struct.unpack("3d", self._times)
        if unavailable_since:
            if now - logged_at >= REMIND_SECONDS:
                self._note(1, now)
                log.warning("redis_still_unavailable", error=str(error), seconds=round(now - unavailable_since))
        elif now - available_since >= SETTLE_SECONDS and self._may_log_unavailable.try_acquire():
            self._note(1, now)
            self._note(0, now)
            self._may_log_available.release()
            log.warning("redis_unavailable", error=str(error))

    def mark_available(self, asked_at: float) -> None:
        """Note that a call that began at this time (`time.monotonic()`) succeeded. Cheap while Redis is available.

        A call that began before the outage does not prove that it is over.
        """
        unavailable_since = struct.unpack_from("d", self._times)[0]
        if unavailable_since and asked_at >= unavailable_since and self._may_log_available.try_acquire():
            now = time.monotonic()
            self._note(2, now)
            self._note(0, 0.0)
            self._may_log_unavailable.release()
            log.warning("redis_available", seconds=round(now - unavailable_since, 1))

    def _note(self, index: int, moment: float) -> None:
        struct.pack_into("d", self._times, 8 * index, moment)


class PipeSemaphore:
    """A semaphore between processes: a byte in a pipe, so that a killed process holds nothing."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        for end in (self._out, self._in):
            os.set_blocking(end, False)

    def release(self) -> None:
        """Let one process acquire it."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._in, b"!")

    def try_acquire(self) -> bool:
        """Acquire it if it is free; return whether that succeeded."""
        try:
            return bool(os.read(self._out, 1))
        except BlockingIOError:
            return False
