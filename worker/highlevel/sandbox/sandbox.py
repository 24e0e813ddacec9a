"""Ways to run the sandbox: as a process of its own, or in a thread of a test."""

import asyncio
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from worker.highlevel.sandbox.account import Account, RecordKey
from worker.highlevel.sandbox.faults import Fault
from worker.highlevel.sandbox.server import run
from worker.highlevel.sandbox.settings import SandboxSettings
from worker.highlevel.sandbox.upsert import World

START_SECONDS = 30


def serve(settings: SandboxSettings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `announce` is called with the URL once it listens.

    Raises:
        OSError: it cannot listen there.
    """

    async def until_signalled() -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        await run(World(settings), announce, ended)

    asyncio.run(until_signalled())


class Sandbox:
    """A sandbox in a thread of this process, from `with` to the end of the block.

    Entering raises OSError when it cannot listen where the settings say.
    """

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.url = ""
        self._world = World(settings or SandboxSettings())
        self._url: Future[str] = Future()
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)

    @property
    def account(self) -> Account:
        """What it saw since it was started, or reset."""
        return self._world.account

    @property
    def records(self) -> dict[RecordKey, dict[str, object]]:
        """What the upserts left: every opportunity."""
        return self._world.records.by_key()

    def fail(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._world.faults.add(fault)

    def clear_faults(self) -> None:
        """Lift all faults."""
        self._world.faults.clear()

    def reset(self) -> None:
        """Forget everything, faults too."""
        self._world.reset()

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = self._url.result(START_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _serve(self) -> None:
        try:
            asyncio.run(self._until_left())
        except OSError as error:
            self._url.set_exception(error)

    async def _until_left(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        await run(self._world, self._url.set_result, self._ended)
