"""A server that sends exactly these bytes, for answers that no HTTP library would write; also over TLS."""

import re
import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

WAIT_SECONDS = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class LoggedRequest:
    """One request: the number of its connection, counted from 1, and its body."""

    connection: int
    body: bytes


def answer(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    """Return a correct answer in JSON."""
    length = f"Content-Length: {len(body)}\r\n"
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{length}{headers}\r\n".encode() + body


def own_answer(number: int) -> bytes:
    """Return the body of the answer that belongs to this request."""
    return b'{"request":%d}' % number


class WireServer:
    """Answers request number n (from 1, over all connections) with `answers[n]`, the others with their own number.

    An answer goes out in one `send`, in TLS in one record as long as it fits into one. `seen` holds every request;
    `ended` counts the connections that the client has closed.

    Args:
        answers: the bytes for each request. The connection stays open after them.
        certificate: a PEM file with a certificate and its key.
        closing: the requests after whose answer the server closes the connection, with `reset` by a TCP reset.
        again: the first answer is sent over and over, as long as the client takes it.
        late: bytes that follow the first answer when `push_late` is called.
    """

    def __init__(
        self,
        answers: dict[int, bytes],
        certificate: Path | None = None,
        closing: frozenset[int] = frozenset(),
        *,
        reset: bool = False,
        late: bytes = b"",
        again: bool = False,
    ) -> None:
        self.seen: list[LoggedRequest] = []
        self.ended = 0
        self._answers = answers
        self._closing = closing
        self._reset = reset
        self._again = again
        self._late, self._push, self._pushed = late, threading.Event(), threading.Event()
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def connections(self) -> list[int]:
        """The connection of each request."""
        return [seen.connection for seen in self.seen]

    def push_late(self) -> None:
        """Send `late`, and return when it is sent."""
        self._push.set()
        assert self._pushed.wait(WAIT_SECONDS)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            connection.settimeout(WAIT_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            own = len(self._open)
            with connection:
                while (body := self._read(connection)) is not None:
                    self.seen.append(LoggedRequest(own, body))
                    number = len(self.seen)
                    connection.sendall(self._answers.get(number, answer(own_answer(number))))
                    while self._again and number == 1:
                        connection.sendall(self._answers[1] * 100)
                    if self._late and number == 1:
                        self._push.wait(WAIT_SECONDS)
                        connection.sendall(self._late)
                        self._pushed.set()
                    if number in self._closing:
                        linger = struct.pack("ii", self._reset, 0)
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                        return
            self.ended += 1

    @staticmethod
    def _read(connection: socket.socket) -> bytes | None:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        while len(body) < int(length[1] if length else 0):
            body += connection.recv(65536)
        return body

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in (self._listener, *self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join()
