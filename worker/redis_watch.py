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


class RedisWatch:
    """One for all threads and processes of a worker, made before its pool forks: whoever is first says it for all.

    Who was in the middle of a call as Redis came back may tell of its loss just then: such a late word is not heeded
    for a few seconds. Whoever finds Redis away goes on trying, so that a new loss is told soon after.
    """

    def __init__(self) -> None:
        self._may_say_away, self._may_say_back = Turn(), Turn()
        self._may_say_away.give()
        # Times by `time.monotonic()`, which is the same in all processes: away since, last said, back since.
        self._times = mmap.mmap(-1, 24)

    @property
    def is_away(self) -> bool:
        """Whether it was found away, and not back since."""
        return bool(struct.unpack_from("d", self._times)[0])

    def lost(self, error: Exception) -> None:
        """Redis did not do what it was asked."""
        now = time.monotonic()
        away_since, said_at, back_since = struct.unpack("3d", self._times)
        if away_since:
            if now - said_at >= REMIND_SECONDS:
                self._note(1, now)
                log.warning("redis_still_away", error=str(error), seconds=round(now - away_since))
        elif now - back_since >= SETTLE_SECONDS and self._may_say_away.take():
            self._note(1, now)
            self._note(0, now)
            self._may_say_back.give()
            log.warning("redis_away", error=str(error))

    def found(self, asked_at: float) -> None:
        """Redis did what it was asked at that moment (`time.monotonic()`). Costs next to nothing while it always does.

        What it was asked before it was found away, and did just in time, does not mean that it is back.
        """
        away_since = struct.unpack_from("d", self._times)[0]
        if away_since and asked_at >= away_since and self._may_say_back.take():
            now = time.monotonic()
            self._note(2, now)
            self._note(0, 0.0)
            self._may_say_away.give()
            log.warning("redis_back", seconds=round(now - away_since, 1))

    def _note(self, place: int, moment: float) -> None:
        struct.pack_into("d", self._times, 8 * place, moment)


class Turn:
    """What one of many processes can take until it is given again: a byte in a pipe, which no dead process holds."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        for end in (self._out, self._in):
            os.set_blocking(end, False)

    def give(self) -> None:
        """Let one take it."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._in, b"!")

    def take(self) -> bool:
        """Whether this one has it now, and nobody else."""
        try:
            return bool(os.read(self._out, 1))
        except BlockingIOError:
            return False
