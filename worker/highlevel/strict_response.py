"""Reads the answers of a connection, and decides whether it can be used again. Framing: RFC 9112, sections 6 to 9.

An answer whose end is ambiguous is not whole. A connection on which anything unexpected came is not used again: the
next answer on it could belong to another request.
"""

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.client import BadStatusLine, HTTPException, IncompleteRead, LineTooLong, RemoteDisconnected
from typing import NamedTuple

RECEIVE_BYTES = 16384
HEAD_BYTES = 65536  # status line and headers
LINE_BYTES = 65536  # a line between two chunks
HEADER_LINES = 100
_HEAD_END = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.(\d) ([1-9]\d\d)(?: [^\r\n]*)?\r?\n")
_HEADER = re.compile(r"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)\r?\n", re.MULTILINE)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
_LINE_ENDS = (b"\r\n", b"\n")
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)

Headers = Sequence[tuple[str, str]]


class UnexpectedUpgradeError(HTTPException):
    """The server switches protocols, which no request asks for."""


class FramingError(HTTPException):
    """It is not defined where the answer ends, or there are contradictions about it."""


class Response(NamedTuple):
    """An answer: header names in lower case. `fault` is why the body is not whole; its bytes are kept."""

    status: int
    headers: dict[str, str]
    body: bytes
    fault: Exception | None


class _Head(NamedTuple):
    """`whole`: the server sent it to its end. `malformed`: a line cannot be read; it may have been the length."""

    status: int
    version: int
    headers: Headers
    whole: bool
    malformed: bool


class StrictReader:
    """Reads one answer after the other. `receive` returns at most so many bytes, none if the server has closed.

    `reusable`: the connection can be used again. True only after the whole answer was read, and if nothing unexpected
    came before, in or after it.
    """

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._buffer = b""
        self._expected = True  # nothing unexpected came; the answer may be whole in spite of it
        self.reusable = False

    def read(self, limit: int, *, reads_body: bool = True) -> Response:
        """Read the next answer that is not a 1xx, and at most `limit` bytes of its body.

        Raises:
            HTTPException: it is not HTTP, or its headers are too long.
            OSError: no bytes came.
        """
        self.reusable, self._expected = False, True
        head = self._read_head()
        while head.status < HTTPStatus.OK:
            if head.status == HTTPStatus.SWITCHING_PROTOCOLS:
                raise UnexpectedUpgradeError
            self._expected = False
            head = self._read_head()
        body, fault = bytearray(), None
        try:
            if not head.whole:
                raise IncompleteRead(b"")
            if reads_body:
                self._read_body(head, limit, body)
        except TimeoutError:
            raise
        except (HTTPException, OSError) as error:
            fault = error
        sound = self._expected and reads_body and fault is None and not head.malformed
        self.reusable = sound and not self._buffer and _is_persistent(head)
        return Response(head.status, dict(head.headers), bytes(body), fault)

    def _read_head(self) -> _Head:
        """Read the status line and the headers. Malformed header lines are dropped."""
        searched = 0
        while (end := _HEAD_END.search(self._buffer, searched)) is None:
            if len(self._buffer) > HEAD_BYTES:
                raise LineTooLong("head of the answer")
            if b"\n" in self._buffer and not _STATUS_LINE.match(self._buffer):
                break
            searched = max(0, len(self._buffer) - 2)
            if not self._fill():
                break
        status = _STATUS_LINE.match(self._buffer)
        if status is None:
            raise BadStatusLine("") if self._buffer else RemoteDisconnected("no answer")
        size = end.end() if end else len(self._buffer)
        lines, self._buffer = self._buffer[status.end() : size].decode("latin-1"), self._buffer[size:]
        headers = [(name.lower(), value.rstrip(" \t")) for name, value in _HEADER.findall(lines)]
        count = lines.count("\n") - (end is not None)
        if count > HEADER_LINES:
            raise HTTPException(f"more than {HEADER_LINES} header lines")
        return _Head(int(status[2]), int(status[1]), headers, end is not None, len(headers) != count)

    def _read_body(self, head: _Head, limit: int, body: bytearray) -> None:
        """Append the body.

        Raises:
            HTTPException: it is not whole, or the headers do not define where it ends.
        """
        codings, lengths = _values(head.headers, "transfer-encoding"), set(_values(head.headers, "content-length"))
        if head.status in _BODILESS:
            self._expected &= not codings and (head.status == HTTPStatus.NOT_MODIFIED or lengths <= {"0"})
        elif codings == ["chunked"]:
            self._expected &= not lengths and head.version > 0
            self._read_chunks(limit, body)
        elif codings not in ([], ["identity"]) or len(lengths) > 1 or (head.malformed and not lengths):
            raise FramingError
        elif lengths:
            self._expected &= not codings
            length = lengths.pop()
            if not (length.isascii() and length.isdigit() and len(length) < 20):
                raise FramingError
            self._append(int(length), limit, body)
        else:
            self._expected = False
            body += self._take(limit)

    def _read_chunks(self, limit: int, body: bytearray) -> None:
        while size := self._read_chunk_size():
            self._append(size, limit, body)
            if len(body) == limit:
                self._expected = False
                return
            if (line_end := self._take(2)) != b"\r\n":
                raise FramingError if len(line_end) == 2 else IncompleteRead(b"")
        # The trailer. No request accepts one, and a second answer may look like one.
        while (line := self._take_line()) not in _LINE_ENDS:
            self._expected = False
            if not line:
                return

    def _read_chunk_size(self) -> int:
        line = self._take_line()
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise FramingError if line.endswith(b"\n") else IncompleteRead(b"")
        return int(size[1], 16)

    def _append(self, size: int, limit: int, body: bytearray) -> None:
        """Append so many bytes, but no more than the limit."""
        wanted = min(size, limit - len(body))
        data = self._take(wanted)
        body += data
        self._expected &= wanted == size
        if len(data) < wanted:
            raise IncompleteRead(b"", wanted - len(data))

    def _take_line(self) -> bytes:
        """Return the next line with its end; without it if the server has closed, or the line is too long."""
        while (end := self._buffer.find(b"\n")) < 0 and len(self._buffer) < LINE_BYTES and self._fill():
            pass
        return self._take(end + 1 if end >= 0 else len(self._buffer))

    def _take(self, size: int) -> bytes:
        """Return so many bytes, fewer if the server closed the connection."""
        while len(self._buffer) < size and self._fill():
            pass
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _fill(self) -> bool:
        data = self._receive(RECEIVE_BYTES)
        self._buffer += data
        return bool(data)


def _values(headers: Headers, name: str) -> list[str]:
    """Return the values of a list header, from all of its lines, in lower case."""
    return [part.strip().lower() for each, value in headers if each == name for part in value.split(",")]


def _is_persistent(head: _Head) -> bool:
    """Return whether the server keeps the connection open (RFC 9112, 9.3)."""
    options = _values(head.headers, "connection")
    return "close" not in options and (head.version > 0 or "keep-alive" in options)
