"""Ways to run the sandbox: as a process of its own, or in a thread of a test."""

import asyncio
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Self

from ops.sandbox.faults import Fault
from ops.sandbox.request_log import RecordKey, RequestLog
from ops.sandbox.server import run
from ops.sandbox.settings import SandboxSettings
from ops.sandbox.upsert import SandboxState

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
        await run(SandboxState(settings), announce, ended)

    asyncio.run(until_signalled())


class Sandbox:
    """A sandbox in a thread of this process, from `with` to the end of the block.

    Entering raises OSError when it cannot listen where the settings say.
    """

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.url = ""
        self._state = SandboxState(settings or SandboxSettings())
        self._url: Future[str] = Future()
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)

    @property
    def request_log(self) -> RequestLog:
        """What it saw since it was started, or reset."""
        return self._state.request_log

    @property
    def records(self) -> dict[RecordKey, dict[str, object]]:
        """What the upserts left: every opportunity."""
        return self._state.records.by_key()

    def inject(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._state.faults.add(fault)

    def clear_faults(self) -> None:
        """Lift all faults."""
        self._state.faults.clear()

    def reset(self) -> None:
        """Forget everything, faults too."""
        self._state.reset()

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = self._url.result(START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
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
        await run(self._state, self._url.set_result, self._ended)
