"""A connection to a server. TLS is verified, with the certificates that `requests` trusts."""

import contextlib
import math
import select
import socket
import ssl
from functools import lru_cache

import requests

from worker.highlevel.strict_response import StrictReader


@lru_cache(maxsize=1)
def _tls_context(trusted: str) -> ssl.SSLContext:
    """Return what all connections of this process share. Reading the certificates takes tens of milliseconds."""
    return ssl.create_default_context(cafile=trusted)


class Connection:
    """An open connection, for one request at a time.

    Attributes:
        reader: reads the answers.
        deadline: when the request must be over (of `time.monotonic()`); infinite between two requests.
        sent: a byte of the request may have reached the server.

    Args:
        connect_seconds: for the TCP connection, and again for the whole TLS handshake.
        seconds: for each later send and receive.

    Raises:
        OSError: the server cannot be reached, or its certificate cannot be verified.
    """

    def __init__(self, host: str, port: int, *, tls: bool, connect_seconds: float, seconds: float) -> None:
        context = _tls_context(requests.adapters.DEFAULT_CA_BUNDLE_PATH) if tls else None
        self.deadline = math.inf
        self.sent = False
        self._socket = socket.create_connection((host, port), connect_seconds)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                self._socket = context.wrap_socket(self._socket, server_hostname=host)
            self._socket.settimeout(seconds)
            self._poll = select.poll()
            self._poll.register(self._socket, select.POLLIN)
        except BaseException:
            self.close()
            raise
        self.reader = StrictReader(self._socket.recv)

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent: the last answer left nothing behind, and nothing came since."""
        socket_ = self._socket
        pending = isinstance(socket_, ssl.SSLSocket) and socket_.pending()
        return self.reader.reusable and not pending and not self._poll.poll(0)

    def send(self, data: bytes) -> None:
        """Send a request."""
        self.sent = True
        self._socket.sendall(data)

    def shut_down(self) -> None:
        """Wake the thread that uses this connection. Call it from another one."""
        # Only the plain socket: the TLS layer, in use by another thread, then fails on its own.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()
