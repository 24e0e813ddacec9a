"""Says once that Redis is away, now and then that it still is, and once that it is back."""

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
    """One for all threads and processes of a worker, made before its pool forks: whoever is first says it for all.

    Who was in the middle of a call as Redis came back may tell of its loss just then: such a late word is not heeded
    for a few seconds. Whoever finds Redis away goes on trying, so that a new loss is told soon after.
    """

    def __init__(self) -> None:
        self._may_log_unavailable, self._may_log_available = PipeSemaphore(), PipeSemaphore()
        self._may_log_unavailable.release()
        # Times by `time.monotonic()`, which is the same in all processes: away since, last said, back since.
        self._times = mmap.mmap(-1, 24)

    @property
    def is_unavailable(self) -> bool:
        """Whether it was found away, and not back since."""
        return bool(struct.unpack_from("d", self._times)[0])

    def mark_unavailable(self, error: Exception) -> None:
        """Redis did not do what it was asked."""
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
        """Redis did what it was asked at that moment (`time.monotonic()`). Costs next to nothing while it always does.

        What it was asked before it was found away, and did just in time, does not mean that it is back.
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
    """What one of many processes can take until it is given again: a byte in a pipe, which no dead process holds."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        for end in (self._out, self._in):
            os.set_blocking(end, False)

    def release(self) -> None:
        """Let one take it."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._in, b"!")

    def try_acquire(self) -> bool:
        """Whether this one has it now, and nobody else."""
        try:
            return bool(os.read(self._out, 1))
        except BlockingIOError:
            return False
