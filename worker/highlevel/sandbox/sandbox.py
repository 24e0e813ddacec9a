"""Ways to run the sandbox: as a process of its own, or in a thread of a test; and to ask it what it saw."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import requests

from worker.highlevel.sandbox.faults import Fault
from worker.highlevel.sandbox.server import run
from worker.highlevel.sandbox.settings import SandboxSettings

ANSWER_SECONDS = 30


def serve(settings: SandboxSettings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `announce` is called with the URL once it listens."""

    async def until_signalled() -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        await run(settings, announce, ended.wait())

    asyncio.run(until_signalled())


class SandboxControl:
    """Asks a sandbox, in whatever process, what it saw, and tells it how to fail."""

    def __init__(self, url: str) -> None:
        self.url = url

    def _call(self, method: str, path: str, **options: Any) -> Any:
        response = requests.request(method, f"{self.url}/_sandbox/{path}", timeout=ANSWER_SECONDS, **options)
        response.raise_for_status()
        return response.json()

    def account(self, window: float | None = None) -> dict[str, Any]:
        """Return the account in numbers (see `Account.summary`); `window` in seconds, by default the burst window."""
        account: dict[str, Any] = self._call("GET", "account", params={} if window is None else {"window": window})
        return account

    def requests(self, location: str | None = None) -> list[dict[str, Any]]:
        """Return every request (see `Seen`), or those of one location."""
        seen: list[dict[str, Any]] = self._call("GET", "requests", params={"location": location})
        return seen

    def arrivals(self, location: str) -> list[float]:
        """Return when the requests of a location came, in seconds."""
        return [seen["arrived_at"] for seen in self.requests(location)]

    def records(self) -> list[dict[str, Any]]:
        """Return what the upserts left: every opportunity."""
        records: list[dict[str, Any]] = self._call("GET", "records")
        return records

    def fail(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._call("POST", "faults", data=fault.model_dump_json())

    def clear_faults(self) -> None:
        """Lift all faults."""
        self._call("DELETE", "faults")

    def reset(self) -> None:
        """Let it forget everything."""
        self._call("POST", "reset")


class Sandbox(SandboxControl):
    """A sandbox in a thread of this process, from `with` to the end of the block."""

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        super().__init__("")
        self._settings = settings or SandboxSettings()
        self._listens = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(run(self._settings, self._announce, self._ended.wait()))

    def _announce(self, url: str) -> None:
        self.url = url
        self._listens.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._listens.wait(ANSWER_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(ANSWER_SECONDS)
