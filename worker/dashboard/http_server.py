"""The HTTP server of the dashboard: bounded in memory, connections and time, also for clients without a login."""

from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.iostream import IOStream
from tornado.web import Application

# The largest body that a page sends is a selection of 200 dead letters; an edited body has at most 64 KiB.
MAX_BODY_BYTES = 1 << 20
MAX_HEADER_BYTES = 32 << 10
MAX_CONNECTIONS = 256
HEADER_SECONDS = 30.0  # for all headers of a request, and between two requests
BODY_SECONDS = 30.0


class BoundedServer(HTTPServer):
    """An HTTP server with limits. At the limit of connections, a new one replaces the oldest without a login.

    The application calls `mark_logged_in` for each request with a login.
    """

    def initialize(  # type: ignore[override]
        self,
        application: Application,
        *,
        max_connections: int = MAX_CONNECTIONS,
        header_seconds: float = HEADER_SECONDS,
        body_seconds: float = BODY_SECONDS,
        **more: Any,
    ) -> None:
        """Initialize it; Tornado calls this instead of `__init__`."""
        super().initialize(
            application,
            max_header_size=MAX_HEADER_BYTES,
            max_body_size=MAX_BODY_BYTES,
            max_buffer_size=2 * MAX_BODY_BYTES,
            idle_connection_timeout=header_seconds,
            body_timeout=body_seconds,
            **more,
        )
        self._max_connections = max_connections
        self._logged_in: dict[IOStream, bool] = {}  # the open connections, the oldest first

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a new connection."""
        open_ones = {known: value for known, value in self._logged_in.items() if not known.closed()}
        if len(open_ones) >= self._max_connections:
            oldest = next((known for known, logged_in in open_ones.items() if not logged_in), stream)
            open_ones.pop(oldest, None)
            oldest.close()
        self._logged_in = open_ones
        if not stream.closed():
            self._logged_in[stream] = False
            super().handle_stream(stream, address)

    def mark_logged_in(self, request: HTTPServerRequest) -> None:
        """Keep the connection of this request: it has a login."""
        stream = getattr(request.connection, "stream", None)
        if stream in self._logged_in:
            self._logged_in[stream] = True


def has_body(request: HTTPServerRequest) -> bool:
    """Return whether a body follows the headers."""
    headers = request.headers
    return "Transfer-Encoding" in headers or headers.get("Content-Length", "0").strip() not in ("", "0")


def announces_at_most(request: HTTPServerRequest, size: int) -> bool:
    """Return whether the headers announce a body of at most this size; False for one in chunks."""
    length = request.headers.get("Content-Length", "0").strip()
    is_number = length.isascii() and length.isdigit() and len(length) <= 18
    return is_number and int(length) <= size and "Transfer-Encoding" not in request.headers


def is_too_large(request: HTTPServerRequest) -> bool:
    """Return whether the headers announce a body beyond the limit. One in chunks is cut off at the limit."""
    return "Transfer-Encoding" not in request.headers and not announces_at_most(request, MAX_BODY_BYTES)
