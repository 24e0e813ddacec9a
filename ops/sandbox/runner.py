"""Runs the sandbox: in the main thread of a process, or in a thread of a test."""

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
    """Serve until SIGINT or SIGTERM; calls `announce` with the URL when it listens.

    Raises:
        OSError: the address cannot be used.
    """

    async def until_signalled() -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        await run(SandboxState(settings), announce, ended)

    asyncio.run(until_signalled())


class Sandbox:
    """A sandbox in a thread, for the time of a `with` block. Entering raises OSError if the address cannot be used."""

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.url = ""
        self._state = SandboxState(settings or SandboxSettings())
        self._url: Future[str] = Future()
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)

    @property
    def request_log(self) -> RequestLog:
        """The requests since the start or the last reset."""
        return self._state.request_log

    @property
    def records(self) -> dict[RecordKey, dict[str, object]]:
        """Every opportunity by the key that created it."""
        return self._state.records.by_key()

    def inject(self, fault: Fault) -> None:
        """Activate a fault."""
        self._state.faults.add(fault)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._state.faults.clear()

    def reset(self) -> None:
        """Forget everything, and remove all faults."""
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
