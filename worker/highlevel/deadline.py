"""A total deadline for a request, which a socket's own timeout is not: that begins anew with every byte."""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

LOOK_SECONDS = 0.1


class Watchdog:
    """Shuts the connection of a request that is not over at its deadline, so that whoever reads from it wakes up.

    One thread watches for all; each thread that sends has one connection and one request at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadlines: dict[int, float] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def limit(self, deadline: float) -> Iterator[None]:
        """Shut this thread's connection at `deadline` (of `time.monotonic()`) if the block still runs then."""
        thread = threading.get_ident()
        with self._lock:
            self._deadlines[thread] = deadline
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="http-deadlines", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._deadlines[thread]

    def check(self) -> None:
        """See that this thread's deadline is not over: what it would send now, nobody waits for any more.

        Raises:
            TimeoutError: it is.
        """
        if time.monotonic() >= self._deadlines.get(threading.get_ident(), math.inf):
            message = "the deadline was over before the request went out"
            raise TimeoutError(message)

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
                overdue = [thread for thread, deadline in self._deadlines.items() if deadline <= now]
                for thread in overdue:
                    if thread in self._sockets:
                        # The plain socket's way, which leaves the TLS layer on top of it to find out by itself.
                        with contextlib.suppress(OSError):
                            socket.socket.shutdown(self._sockets[thread], socket.SHUT_RDWR)


class WatchedAdapter(HTTPAdapter):
    """Keeps one connection, and tells the watchdog of each that it opens."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools open watched connections."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _watched_pool(HTTPConnectionPool, HTTPConnection, self._watchdog),
            "https": _watched_pool(HTTPSConnectionPool, HTTPSConnection, self._watchdog),
        }


def _watched_pool(pool: type[HTTPConnectionPool], connection: type[HTTPConnection], watchdog: Watchdog) -> Any:
    """Return a pool whose connections are known to the watchdog from their first byte on, TLS included."""

    class Connection(connection):  # type: ignore[misc, valid-type]
        _parts: list[bytes] | None = None

        def _new_conn(self) -> socket.socket:
            opened: socket.socket = super()._new_conn()
            watchdog.opened(opened)
            return opened

        def connect(self) -> None:
            super().connect()
            watchdog.opened(self.sock)

        def request(self, *arguments: Any, **options: Any) -> None:
            self._parts = []
            super().request(*arguments, **options)
            parts, self._parts = self._parts, None
            watchdog.check()
            super().send(b"".join(parts))

        def send(self, data: bytes) -> None:
            if self._parts is None:
                super().send(data)
            else:
                self._parts.append(data)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})
