"""The HTTP connections of the gateway: bounded in memory, number and time, also for clients without a key."""

import asyncio
from itertools import chain
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from producers.gateway.problems import HEADERS, UNREADABLE, ProblemError

MAX_HEAD_BYTES = 32 << 10  # request line and headers; trailers, too
MAX_CONNECTIONS = 512  # of one process
IDLE_SECONDS = 30.0  # for all headers of a request, between two pieces of a body
_TOO_LONG = ProblemError(HEADERS, f"the request line and the headers must be at most {MAX_HEAD_BYTES} bytes")
_NO_HTTP = ProblemError(UNREADABLE, "the request is no valid HTTP")
_open: dict["BoundedConnection", None] = {}  # the oldest first


class JoinedWrites:
    """A transport that sends what is written in one turn of the loop at once: head and body of a response."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send some bytes soon."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def close(self) -> None:
        """Send the rest, and close the connection."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pieces:
            self._transport.write(b"".join(self._pieces))
            self._pieces.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class BoundedConnection(HttpToolsProtocol):
    """A connection with limits. At the limit of connections, a new one replaces the oldest without a valid key.

    If all have one, it replaces the oldest without a request. `authenticated`: the last key was valid.
    `ending` is set when the client is gone or the gateway stops: requests that wait end then.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.authenticated = False
        self.ending = asyncio.Event()
        self._unparsed = 0  # bytes since the last piece of a head or body
        self._receiving = True  # a request has begun or is expected
        self._heard_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection, or close it at once if all others have a key and a request."""
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))
        if len(_open) >= MAX_CONNECTIONS:
            without_key = (known for known in _open if not known.authenticated)
            idle = (known for known in _open if known._is_idle)  # noqa: SLF001 - of this class
            oldest = next(chain(without_key, idle), self)
            _open.pop(oldest, None)
            oldest.transport.abort()
            if oldest is self:
                return
        _open[self] = None
        self._progress()
        self._check_progress()

    @property
    def _is_idle(self) -> bool:
        """Whether its last request is answered, and no other one has begun."""
        return not self._receiving and self.cycle.response_complete

    def connection_lost(self, exc: Exception | None) -> None:
        """End the requests that wait."""
        _open.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
        self.ending.set()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The gateway stops."""
        self.ending.set()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Parse what came. A head that is too long ends the connection."""
        self._unparsed += len(data)
        if not self._receiving and (self.cycle is None or self.cycle.response_complete):
            self._receiving, self._heard_at = True, self.loop.time()
        super().data_received(data)
        if self._unparsed > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(_TOO_LONG)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["lanes.connection"] = self  # type: ignore[typeddict-unknown-key]
        self._receiving = True
        self._progress()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._progress()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            self._refuse(_TOO_LONG)
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of its body is there. What comes after the answer is read for a while, and dropped."""
        self._unparsed = 0
        if self.cycle is None or self.transport.is_closing():
            return
        if not self.cycle.response_complete:
            self._progress()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It is complete."""
        self._unparsed = 0
        self._receiving = False
        if self.cycle is not None and not self.transport.is_closing():
            super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, even if the client does not read the last response."""
        self.transport.abort()

    def _progress(self) -> None:
        self._unparsed = 0
        self._heard_at = self.loop.time()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Refuse what cannot be parsed."""
        self._refuse(_NO_HTTP)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: such a request is answered as any other."""

    def _refuse(self, problem: ProblemError) -> None:
        """Answer without the app, and close the connection."""
        response = problem.response()
        headers = [*self.server_state.default_headers, *response.raw_headers, (b"connection", b"close")]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[response.status_code] + head + b"\r\n" + bytes(response.body))
        self.transport.close()

    def _check_progress(self) -> None:
        """Disconnect a client that sends nothing more of its request. Runs now and then, not for each piece."""
        now = self.loop.time()
        if not self._receiving or self.flow.read_paused:  # it is the gateway that does not go on
            self._heard_at = now
        elif now >= self._heard_at + IDLE_SECONDS:
            self.transport.abort()
            return
        self._timer = self.loop.call_at(self._heard_at + IDLE_SECONDS, self._check_progress)
