"""A total deadline for a request. A socket's own timeout is none: it restarts with every byte."""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from worker.highlevel.strict_response import StrictResponse

CHECK_SECONDS = 0.1


class WatchedConnection(HTTPConnection):
    """A connection for one request at a time, whose answer is a `StrictResponse`.

    Attributes:
        deadline: when the request must be over (of `time.monotonic()`).
        sent: False until a byte of the request may have reached the server: during DNS, connect and TLS handshake.
        opened: the last socket. An answer may still be read from it when `sock` is None.
    """

    deadline = math.inf
    sent = False
    opened: socket.socket | None = None
    _parts: list[bytes] | None = None
    _response: StrictResponse | None = None

    @property
    def reusable(self) -> bool:
        """Whether the connection can be used for another request."""
        return self._response is not None and self._response.reusable

    @property
    def fault(self) -> Exception | None:
        """Why the body is incomplete; None if it is complete, or was not read to its end."""
        return self._response.fault if self._response is not None else None

    def response_class(self, *arguments: Any, **options: Any) -> StrictResponse:  # type: ignore[override]
        """Return a new answer."""
        self._response = StrictResponse(*arguments, **options)
        return self._response

    def begin(self, deadline: float) -> None:
        """Prepare for the next request."""
        self.deadline, self.sent, self._response = deadline, False, None

    def connect(self) -> None:
        """Open the connection. The timeout applies to the whole TLS handshake."""
        super().connect()
        self.opened = self.sock

    def request(self, *arguments: Any, **options: Any) -> None:
        """Send a request, in one piece.

        Raises:
            TimeoutError: the deadline has passed. Nothing was sent.
        """
        self._parts = []
        super().request(*arguments, **options)
        parts, self._parts = self._parts, None
        if time.monotonic() >= self.deadline:
            message = "the deadline was over before the request went out"
            raise TimeoutError(message)
        self.sent = True
        super().send(b"".join(parts))

    def send(self, data: Any) -> None:
        """Keep a part until the request is complete, or send it."""
        if self._parts is None:
            super().send(data)
        else:
            self._parts.append(data)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()


class WatchedTLSConnection(WatchedConnection, HTTPSConnection):
    """The same over TLS."""


class RequestDeadlines:
    """Shuts down the connections of requests that pass their deadline, which wakes their threads. Uses one thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: set[WatchedConnection] = set()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def limit(self, connection: WatchedConnection) -> Iterator[None]:
        """Shut down a connection at its deadline if the block still runs."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="http-deadlines", daemon=True)
                self._thread.start()
            self._connections.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _watch(self) -> None:
        while True:
            time.sleep(CHECK_SECONDS)
            now = time.monotonic()
            with self._lock:
                for connection in self._connections:
                    if connection.deadline <= now and connection.opened is not None:
                        # Only the plain socket: the TLS layer, in use by another thread, then fails on its own.
                        with contextlib.suppress(OSError):
                            socket.socket.shutdown(connection.opened, socket.SHUT_RDWR)
