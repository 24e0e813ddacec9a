"""The HTTP connections of the gateway: bounded in memory, number and time, also for clients without a key."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32 << 10  # request line and headers; trailers, too
MAX_CONNECTIONS = 512  # of one process
IDLE_SECONDS = 30.0  # for all headers of a request, between two pieces of a body
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n"
    b"connection: close\r\n\r\n"
)
_open: dict["BoundedConnection", None] = {}  # the oldest first


class BoundedConnection(HttpToolsProtocol):
    """A connection with limits. At the limit of connections, a new one replaces the oldest that never had a valid key.

    `ending` is set when the client is gone or the gateway stops: requests that wait end then.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.authenticated = False
        self.ending = asyncio.Event()
        self._unparsed = 0  # bytes since the last piece of a head or body
        self._receiving = True  # a request has begun or is expected
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection, or close it at once if all others have a key."""
        super().connection_made(transport)
        if len(_open) >= MAX_CONNECTIONS:
            oldest = next((known for known in _open if not known.authenticated), self)
            _open.pop(oldest, None)
            oldest.transport.abort()
            if oldest is self:
                return
        _open[self] = None
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the requests that wait."""
        _open.pop(self, None)
        self._stop_timer()
        self.ending.set()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The gateway stops."""
        self.ending.set()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Parse what came. A head that is too long ends the connection."""
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["lanes.connection"] = self  # type: ignore[typeddict-unknown-key]
        self._receiving = True
        self._start_timer()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._progress()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            self._refuse()
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of its body is there."""
        if self.cycle is None or self.transport.is_closing():
            return
        if not self.cycle.response_complete:
            self._progress()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It is complete."""
        self._unparsed = 0
        self._receiving = False
        self._stop_timer()
        if self.cycle is not None and not self.transport.is_closing():
            super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, even if the client does not read the last response."""
        self.transport.abort()

    def _progress(self) -> None:
        self._unparsed = 0
        self._start_timer()

    def _refuse(self) -> None:
        self.transport.write(_TOO_LARGE)
        self.transport.close()

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(IDLE_SECONDS, self._time_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        if self.flow.read_paused:  # it is the gateway that does not go on
            self._start_timer()
        elif self._receiving:
            self.transport.abort()
