"""Requests that wait: how many at once, how long, and what ends them early."""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Awaitable, Iterator
from typing import TypeVar

from fastapi import Request

T = TypeVar("T")

MAX_SECONDS = 30
MAX_PER_SERVICE = 32  # in one process
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=[,;]|$)", re.IGNORECASE)


def preferred_wait(prefer: str | None) -> int:
    """Return the seconds of `wait=N` in a header `Prefer` (RFC 7240), at most `MAX_SECONDS`; 0 without one."""
    found = _WAIT.search(prefer) if prefer else None
    return min(MAX_SECONDS, int(found[1])) if found else 0


class LongPolls:
    """Counts the waiting requests of each service."""

    def __init__(self) -> None:
        self._waiting = Counter[str]()

    @contextlib.contextmanager
    def slot(self, service: str) -> Iterator[bool]:
        """Take a slot while the block runs; False if the service has none left."""
        if self._waiting[service] >= MAX_PER_SERVICE:
            yield False
            return
        self._waiting[service] += 1
        try:
            yield True
        finally:
            self._waiting[service] -= 1
            if not self._waiting[service]:
                del self._waiting[service]


async def unless_ending(request: Request, waiting: Awaitable[T]) -> T | None:
    """Return the result; None as soon as the client is gone or the gateway stops."""
    ending: asyncio.Event = request.scope["lanes.connection"].ending
    task, end = asyncio.ensure_future(waiting), asyncio.ensure_future(ending.wait())
    try:
        await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in (task, end):
            while not each.done():
                each.cancel()  # again if it was lost: before Python 3.12, `asyncio.wait_for` may lose it
                await asyncio.wait({each}, timeout=0.1)
        await asyncio.gather(task, end, return_exceptions=True)
