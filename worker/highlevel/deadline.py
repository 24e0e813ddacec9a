"""A total deadline for a request, which a socket's own timeout is not: that begins anew with every byte."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from worker.highlevel.strict_response import StrictResponse

LOOK_SECONDS = 0.1


@dataclass(slots=True)
class LimitedRequest:
    """A request with a deadline (of `time.monotonic()`).

    `sent` is False as long as not one byte of it can have reached the server: while the name is resolved, the
    connection opened, and TLS negotiated.
    """

    deadline: float
    sent: bool = False


class RequestDeadlines:
    """Shuts the connection of a request that is not over at its deadline, so that whoever reads from it wakes up.

    One thread watches for all; each thread that sends has one connection and one request at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[int, LimitedRequest] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def limit(self, deadline: float) -> Iterator[LimitedRequest]:
        """Shut this thread's connection at `deadline` (of `time.monotonic()`) if the block still runs then."""
        thread = threading.get_ident()
        request = LimitedRequest(deadline)
        with self._lock:
            self._requests[thread] = request
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="http-deadlines", daemon=True)
                self._thread.start()
        try:
            yield request
        finally:
            with self._lock:
                del self._requests[thread]

    def start_sending(self) -> None:
        """Note that this thread's request goes out now.

        Raises:
            TimeoutError: its deadline is over. It was not sent.
        """
        request = self._requests.get(threading.get_ident())
        if request is None:
            return
        if time.monotonic() >= request.deadline:
            message = "the deadline was over before the request went out"
            raise TimeoutError(message)
        request.sent = True

    def opened(self, connection: socket.socket | None) -> None:
        """Note the connection that this thread uses from now on."""
        if connection is not None:
            with self._lock:
                self._sockets[threading.get_ident()] = connection

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            with self._lock:
                overdue = [thread for thread, request in self._requests.items() if request.deadline <= now]
                for thread in overdue:
                    if thread in self._sockets:
                        # The plain socket's way, which leaves the TLS layer on top of it to find out by itself.
                        with contextlib.suppress(OSError):
                            socket.socket.shutdown(self._sockets[thread], socket.SHUT_RDWR)


class DeadlineAdapter(HTTPAdapter):
    """Keeps one connection, and tells the watchdog of each that it opens. Answers are read as `StrictResponse` does."""

    def __init__(self, deadlines: RequestDeadlines) -> None:
        self._deadlines = deadlines
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools open watched connections."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _deadline_pool(HTTPConnectionPool, HTTPConnection, self._deadlines),
            "https": _deadline_pool(HTTPSConnectionPool, HTTPSConnection, self._deadlines),
        }


def _deadline_pool(
    pool: type[HTTPConnectionPool], connection: type[HTTPConnection], deadlines: RequestDeadlines
) -> Any:
    """Return a pool of watched connections, which never offers one again on which something unexpected came."""

    class Pool(pool):  # type: ignore[misc, valid-type]
        ConnectionCls = _deadline_connection(connection, deadlines)

        def _put_conn(self, conn: Any) -> None:
            if conn is not None and not conn.reusable:
                conn.close()
            super()._put_conn(conn)

        def drop_connection(self) -> None:
            """Close the kept connection. The next request opens another."""
            conn = self._get_conn()
            conn.close()
            self._put_conn(conn)

    return Pool


def _deadline_connection(connection: type[HTTPConnection], deadlines: RequestDeadlines) -> Any:
    """Return a class of connections that are known to the watchdog from their first byte on, TLS included."""

    class Connection(connection):  # type: ignore[misc, valid-type]
        _parts: list[bytes] | None = None
        _response: StrictResponse | None = None

        @property
        def reusable(self) -> bool:
            return self._response is not None and self._response.reusable

        def response_class(self, *arguments: Any, **options: Any) -> StrictResponse:
            self._response = StrictResponse(*arguments, **options)
            return self._response

        def _new_conn(self) -> socket.socket:
            opened: socket.socket = super()._new_conn()
            deadlines.opened(opened)
            return opened

        def connect(self) -> None:
            self._response = None
            super().connect()
            deadlines.opened(self.sock)

        def request(self, *arguments: Any, **options: Any) -> None:
            self._parts = []
            super().request(*arguments, **options)
            parts, self._parts = self._parts, None
            if self.sock is None:
                self.connect()
            deadlines.start_sending()
            super().send(b"".join(parts))

        def send(self, data: bytes) -> None:
            if self._parts is None:
                super().send(data)
            else:
                self._parts.append(data)

    return Connection
