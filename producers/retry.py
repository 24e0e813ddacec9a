"""How a producer insists when Redis is away: the same call again, for a bounded time, with growing, uneven pauses.

A call may be made again because it names its jobs: the same id again is the same job.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lanes.errors import RedisUnavailableError
from lanes.retry_loop import FULL, RetryLoop

FIRST_PAUSE_SECONDS = 0.05
MAX_PAUSE_SECONDS = 1.0
# Of the whole time: what connecting, or a reply, may take before another connection is tried.
ATTEMPT_SHARE = 1 / 3

T = TypeVar("T")


class RetryBudget:
    """One call that is made until it succeeds or `seconds` are over.

    `may_be_done` tells whether any of its tries may have been carried out without a reply.
    """

    def __init__(self, seconds: float) -> None:
        self.may_be_done = False
        self._attempt_seconds = seconds * ATTEMPT_SHARE
        self._loop = RetryLoop(FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS, within=seconds, jitter=FULL)

    def pause_after(self, error: RedisUnavailableError) -> float:
        """Return for how many seconds to wait before the next try, which may take its share of the time.

        Raises:
            RedisUnavailableError: this very error, when the time is over or the trouble does not pass by itself.
        """
        self.may_be_done |= error.may_be_done
        pause = self._loop.next_pause()
        if not error.trouble.is_transient or pause + self._attempt_seconds > self._loop.left:
            raise error
        return pause

    def run(self, call: Callable[[float], T]) -> T:
        """Make a call, which is told how many seconds are left."""
        while True:
            try:
                return call(self._loop.left)
            except RedisUnavailableError as error:
                pause = self.pause_after(error)
            time.sleep(pause)

    async def run_async(self, call: Callable[[float], Awaitable[T]], sleep: Callable[[float], Awaitable[object]]) -> T:
        """`run`, in an event loop."""
        while True:
            try:
                return await call(self._loop.left)
            except RedisUnavailableError as error:
                pause = self.pause_after(error)
            await sleep(pause)
