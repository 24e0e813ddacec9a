"""Retries calls while Redis is unreachable: for a bounded time, with backoff and jitter.

A retry is safe because a call names its jobs: the same id is the same job.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lanes.errors import RedisUnavailableError
from lanes.retry_loop import FULL, NONE, RetryLoop

FIRST_PAUSE_SECONDS = 0.05
MAX_PAUSE_SECONDS = 1.0
# The share of the whole time that connecting or a reply may take before a new connection is tried.
ATTEMPT_SHARE = 1 / 3

T = TypeVar("T")


def polls_within(timeout: float) -> RetryLoop:
    """Return the polling of a job: soon at first, later once a second, until the timeout."""
    return RetryLoop(0.02, 1.0, within=timeout, factor=1.5, jitter=NONE)


class RetryBudget:
    """One call, retried until it succeeds or `seconds` are over.

    `may_be_done`: an attempt may have taken effect although no reply came.
    """

    def __init__(self, seconds: float) -> None:
        self.may_be_done = False
        self._attempt_seconds = seconds * ATTEMPT_SHARE
        self._ends_at = time.monotonic() + seconds
        self._loop: RetryLoop | None = None  # most calls need none

    @property
    def _left(self) -> float:
        return self._ends_at - time.monotonic()

    def pause_after(self, error: RedisUnavailableError) -> float:
        """Return the pause in seconds before the next attempt.

        Raises:
            RedisUnavailableError: the same error, if the time is over or the trouble is not transient.
        """
        self.may_be_done |= error.may_be_done
        if self._loop is None:
            self._loop = RetryLoop(FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS, within=self._left, jitter=FULL)
        pause = self._loop.next_pause()
        if not error.trouble.is_transient or pause + self._attempt_seconds > self._left:
            raise error
        return pause

    def run(self, call: Callable[[float], T]) -> T:
        """Make a call; its argument is the number of seconds left."""
        while True:
            try:
                return call(self._left)
            except RedisUnavailableError as error:
                pause = self.pause_after(error)
            time.sleep(pause)

    async def run_async(self, call: Callable[[float], Awaitable[T]], sleep: Callable[[float], Awaitable[object]]) -> T:
        """`run`, in an event loop."""
        while True:
            try:
                return await call(self._left)
            except RedisUnavailableError as error:
                pause = self.pause_after(error)
            await sleep(pause)
