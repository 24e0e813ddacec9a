"""What ends a request that waits."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from producers.gateway.long_polls import preferred_wait, unless_ending


def test_a_wait_that_loses_its_cancellation_ends_with_the_connection() -> None:
    async def stubborn() -> bool:
        work = asyncio.create_task(asyncio.sleep(60))
        for _ in range(2):
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                cancelled.append(True)
        work.cancel()
        return True

    async def run() -> None:
        ending = asyncio.Event()
        ending.set()
        request: Any = SimpleNamespace(scope={"lanes.connection": SimpleNamespace(ending=ending)})
        async with asyncio.timeout(30):
            assert await unless_ending(request, stubborn()) is None

    cancelled: list[bool] = []
    asyncio.run(run())
    assert len(cancelled) == 2


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 0),
        ("respond-async", 0),
        ("wait=20", 20),
        ('respond-async; WAIT = "5" , x', 5),
        ("wait=999999999", 30),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("await=5", 0),
    ],
)
def test_the_wait_of_a_header(prefer: str | None, seconds: int) -> None:
    assert preferred_wait(prefer) == seconds
