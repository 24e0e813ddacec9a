"""The dashboard's application, the real one, below a prefix, in a thread of this process, on a real Redis."""

import asyncio
import contextlib
import functools
import logging
import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any

import structlog
from celery import Celery
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from tests.fuzzing.seeded_redis import SeededRedis, seeded_redis
from worker.dashboard import flower
from worker.dashboard.access import AccessPolicy
from worker.dashboard.routes import handlers

PREFIX = "/flower"
TIMEOUT_SECONDS = 60.0
PEOPLE = ("ana:correct horse",)
LOGIN = "Basic YW5hOmNvcnJlY3QgaG9yc2U="
USUAL = {"Host": "localhost", "Authorization": LOGIN}


class Noted(logging.Handler):
    """Collects logged tracebacks and errors. Our own logs go to structlog."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, if it is one."""
        if record.exc_info or record.levelno >= logging.ERROR:
            self.records.append(self.format(record))

    def take(self, logs: Sequence[Mapping[str, Any]]) -> None:
        """Keep what of our own logs is one."""
        self.records += [repr(entry) for entry in logs if entry["log_level"] in ("error", "critical")]


class Site:
    """The application, and where it listens."""

    def __init__(self, of: SeededRedis) -> None:
        self.seeded_redis = of
        self.noted = Noted()
        self.port = 0
        self._began = threading.Event()
        logging.getLogger().addHandler(self.noted)
        threading.Thread(target=lambda: asyncio.run(self._serve()), name="site", daemon=True).start()
        assert self._began.wait(TIMEOUT_SECONDS)

    async def _serve(self) -> None:
        before = dict(flower.flower_settings)
        with self.behaving(password=False):
            flower.extract_settings()
            self.app = flower.Dashboard(
                Celery("lanes", broker=self.seeded_redis.url),
                self.seeded_redis.store,
                self.seeded_redis.settings,
                AccessPolicy(),
                handlers(),
            )
        flower.flower_settings.clear()
        flower.flower_settings.update(before)
        sockets = bind_sockets(0, "127.0.0.1")
        HTTPServer(self.app).add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]
        self._loop = asyncio.get_running_loop()
        self._began.set()
        await asyncio.Event().wait()

    def ask(self, asked: "Asked") -> "Answer | None":
        """Send a request, and wait until everything it caused is over, also what is logged after the answer."""
        with structlog.testing.capture_logs() as logs:
            answer = asked.send(self.port)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(TIMEOUT_SECONDS)
            for thread in threading.enumerate():
                if thread.name.startswith("letters-"):  # a replay or a purge, or its dry run
                    thread.join(TIMEOUT_SECONDS)
        self.noted.take(logs)
        return answer

    @contextlib.contextmanager
    def behaving(self, *, password: bool) -> Iterator[None]:
        """Be below a prefix, with a password or without: Flower's options are those of a process."""
        options = flower.default_options
        before = options.url_prefix, options.basic_auth
        options.url_prefix, options.basic_auth = PREFIX, list(PEOPLE) if password else []
        if self.port:
            self.app.access = AccessPolicy(basic_auth=password)
        try:
            yield
        finally:
            options.url_prefix, options.basic_auth = before


@functools.cache
def site() -> Site:
    """Return the site of this process."""
    return Site(seeded_redis())


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header, empty where there is none."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), "")


@dataclass(slots=True)
class Asked:
    """A request. `allowed`: whether it has the token, without which nothing may change."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    allowed: bool = False

    def send(self, port: int) -> Answer | None:
        """Return the answer; None where the server hung up on what is no HTTP."""
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items())]
        head = "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "Connection: close", "", ""])
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(head.encode("utf-8", "surrogatepass") + self.body)
            response = HTTPResponse(connection, method=self.method)
            try:
                response.begin()
                return Answer(response.status, response.getheaders(), response.read())
            except (HTTPException, ConnectionError):
                return None
            finally:
                response.close()


@functools.cache
def token() -> dict[str, str]:
    """Return the headers with which a page of ours changes something."""
    answer = Asked("GET", f"{PREFIX}/audit-log", dict(USUAL)).send(site().port)
    assert answer is not None
    found = re.match(r"_xsrf=([^;]+)", answer.header("Set-Cookie"))
    assert found is not None, answer
    return {"Cookie": f"_xsrf={found[1]}", "X-XSRFToken": found[1]}
