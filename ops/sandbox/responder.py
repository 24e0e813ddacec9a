"""Answers requests over Tornado's connections."""

import asyncio
import json
from collections.abc import Coroutine, Mapping
from http.client import responses
from typing import Any, cast

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine

JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}
HTML_TYPE = {"Content-Type": "text/html; charset=UTF-8"}
BODILESS = (204, 304)


class HungUpError(Exception):
    """The client has closed the connection."""


class BackgroundTasks:
    """The answers that take time."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine as a task."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Cancel all tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Responder:
    """Answers one request. Works below Tornado's handlers, so that faults can send any bytes."""

    def __init__(self, request: HTTPServerRequest) -> None:
        self.request = request
        self.connection = cast("HTTP1Connection", request.connection)
        self._hung_up = False
        self._pause: asyncio.Future[None] | None = None
        self.connection.set_close_callback(self._note_hang_up)

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the status and the headers. Without a `Content-Length` the body is sent in chunks.

        Raises:
            HungUpError: the client closed the connection; also from `send`, `end` and `pause`.
        """
        self._check()
        self.connection.write_headers(ResponseStartLine("HTTP/1.1", status, _reason(status)), HTTPHeaders(headers))

    def send(self, data: bytes) -> None:
        """Send bytes before an answer."""
        self._check()
        self.connection.stream.write(data)

    def end(self, status: int, headers: Mapping[str, str], body: bytes, trailing: bytes = b"") -> None:
        """Send a complete answer, followed by `trailing`."""
        self._check()
        body = b"" if status in BODILESS else body
        if trailing:
            # Tornado refuses to send bytes that do not belong to an answer.
            self.connection.stream.write(encode_answer(status, headers, body) + trailing)
        else:
            line = ResponseStartLine("HTTP/1.1", status, _reason(status))
            self.connection.write_headers(line, HTTPHeaders({**headers, "Content-Length": str(len(body))}), body)
        self.connection.finish()

    def end_json(self, status: int, body: Any, headers: Mapping[str, str] | None = None, trailing: bytes = b"") -> None:
        """Send a complete answer with a JSON body."""
        self.end(status, {**JSON_TYPE, **(headers or {})}, json.dumps(body).encode(), trailing)

    async def pause(self, seconds: float) -> None:
        """Wait, at most until the client closes the connection."""
        self._check()
        if seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        self._pause = pause = loop.create_future()
        timer = loop.call_later(seconds, _wake, pause)
        try:
            await pause
        finally:
            timer.cancel()
            self._pause = None
        self._check()

    def _note_hang_up(self) -> None:
        self._hung_up = True
        if self._pause is not None:
            _wake(self._pause)

    def _check(self) -> None:
        if self._hung_up:
            raise HungUpError


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def encode_answer(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the bytes of a complete answer."""
    sized = {**headers, "Content-Length": str(len(body))}
    lines = [f"HTTP/1.1 {status} {_reason(status)}", *(f"{name}: {value}" for name, value in sized.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def _reason(status: int) -> str:
    return responses.get(status, "Unknown")
