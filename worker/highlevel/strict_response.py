"""Reads one answer to its end, and decides whether its connection can be used again. Framing: RFC 9112, sections 6, 7.

`http.client` skips only `100`: after any other 1xx, each request gets the answer to the request before it. It also
drops bytes buffered after an answer, so that the rest of them is read as the next answer.
"""

import http.client
import re
import ssl
from http import HTTPStatus
from typing import Any

LINE_BYTES = 65536
HEADER_LINES = 100
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\n]*)?\r?\n")
_LINE_ENDS = (b"\r\n", b"\n")
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class UnexpectedUpgradeError(http.client.HTTPException):
    """The server switches protocols, which no request asks for."""


class FramingError(http.client.HTTPException):
    """The headers do not define where the answer ends, or contradict each other."""


class StrictResponse(http.client.HTTPResponse):
    """An answer of `http.client` that skips every 1xx and accepts nothing ambiguous.

    Attributes:
        reusable: the connection can be used again. True only after the whole answer was read, and if nothing
            unexpected came before, in or after it.
    """

    fp: Any  # a BufferedReader, None when the answer is closed
    length: int | None
    reusable = False
    _fault: Exception | None = None
    _malformed = False  # a header line cannot be read; it may have been the length
    _unexpected = False  # the answer may be complete, but the connection is not reused

    def __init__(self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> None:
        super().__init__(sock, debuglevel, method, url)
        self._sock = sock

    @property
    def fault(self) -> Exception | None:
        """Why the body is incomplete; None if it is complete, or was not read to its end."""
        if self._fault is None and self.fp is None and self.length:
            return http.client.IncompleteRead(b"", self.length)
        return self._fault

    def begin(self) -> None:
        """Read the status and the headers of the final answer.

        Raises:
            UnexpectedUpgradeError: the answer is 101.
            HTTPException: it is not HTTP.
        """
        version, status, reason = self._read_status()  # type: ignore[attr-defined]
        headers = self._read_headers()
        while status < HTTPStatus.OK:
            if status == HTTPStatus.SWITCHING_PROTOCOLS:
                raise UnexpectedUpgradeError
            self._unexpected = True
            version, status, reason = self._read_status()  # type: ignore[attr-defined]
            headers = self._read_headers()
        if not version.startswith("HTTP/1.") and version != "HTTP/0.9":
            raise http.client.UnknownProtocol(version)
        self.code = self.status = status
        self.reason = reason.strip()
        self.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        self.headers = self.msg = headers
        self.chunked, self.chunk_left, self.length = False, None, None
        self._find_length()
        self.will_close = self._check_close() or not (self.chunked or self.length is not None)  # type: ignore[attr-defined]
        if self._fault is not None:
            self.length, self.chunked, self.will_close = 0, False, True
            for name in ("content-length", "transfer-encoding"):
                del headers[name]  # urllib3 would interpret them once more

    def _read_headers(self) -> http.client.HTTPMessage:
        """Read the header lines; malformed ones are dropped."""
        headers = http.client.HTTPMessage()
        for _ in range(HEADER_LINES + 1):
            line = self.fp.readline(LINE_BYTES + 1)
            if line in _LINE_ENDS:
                return headers
            if not line:
                self._fault = http.client.IncompleteRead(b"")
                return headers
            if len(line) > LINE_BYTES:
                what = "header line"
                raise http.client.LineTooLong(what)
            header = _HEADER.fullmatch(line.decode("latin-1"))
            if header is None:
                self._malformed = True
            else:
                headers.set_raw(header[1], header[2].rstrip(" \t"))
        message = f"more than {HEADER_LINES} header lines"
        raise http.client.HTTPException(message)

    def _find_length(self) -> None:
        """Find the length of the body. `http.client` ignores lengths and codings that it cannot read."""
        codings = _values(self.headers, "transfer-encoding")
        lengths = set(_values(self.headers, "content-length"))
        if self.status in _BODILESS:
            self.length = 0
            self._unexpected |= bool(codings) or (self.status == HTTPStatus.NO_CONTENT and bool(lengths - {"0"}))
        elif codings == ["chunked"]:
            self.chunked = True
            self._unexpected |= bool(lengths) or self.version == 10
        elif codings not in ([], ["identity"]) or len(lengths) > 1 or (self._malformed and not lengths):
            self._fault = self._fault or FramingError()
        elif lengths:
            self._unexpected |= bool(codings)
            self._set_length(lengths.pop())

    def _set_length(self, text: str) -> None:
        if text.isascii() and text.isdigit() and len(text) < 20:
            self.length = int(text)
        else:
            self._fault = FramingError()

    def read(self, amt: int | None = None) -> bytes:
        """Read the body, or `amt` bytes of it. An incomplete body is returned as it is; `fault` has the reason."""
        try:
            return super().read(amt)
        except http.client.IncompleteRead as error:
            self._fault = error
            data: bytes = error.partial + getattr(error.__cause__, "partial", b"")
        self.close()
        return data

    def _get_chunk_left(self) -> int | None:
        """Return what is left of the chunk. `http.client` does not check the line end after a chunk."""
        if self.chunk_left == 0:
            if self._safe_read(2) != b"\r\n":  # type: ignore[attr-defined]
                nothing = b""
                raise http.client.IncompleteRead(nothing)
            self.chunk_left = None
        left: int | None = super()._get_chunk_left()  # type: ignore[misc]
        return left

    def _read_next_chunk_size(self) -> int:
        """Return the size of the next chunk. `http.client` also accepts `-1`, `0x1`, `1_0` and half a line."""
        size = _CHUNK_SIZE.fullmatch(self.fp.readline(LINE_BYTES))
        if size is None:
            raise ValueError  # http.client makes an IncompleteRead of it
        return int(size[1], 16)

    def _read_and_discard_trailer(self) -> None:
        """Skip the trailer. No request accepts one, and a second answer may look like one."""
        while (line := self.fp.readline(LINE_BYTES)) not in _LINE_ENDS:
            self._unexpected = True
            if not line:
                return

    def close(self) -> None:
        """Close the answer. The connection is reused only if the answer was read to its end."""
        if self.fp is not None:
            self._unexpected = True
        super().close()

    def _close_conn(self) -> None:
        """Decide at the end of the body whether the connection is reused."""
        broken = self._unexpected or self._malformed or self._fault is not None or bool(self.length)
        self.reusable = not broken and not self.will_close and self._is_silent()
        super()._close_conn()  # type: ignore[misc]

    def _is_silent(self) -> bool:
        """Return whether nothing came after the answer: in the reader, the TLS layer and the socket."""
        try:
            self._sock.settimeout(0)  # urllib3 sets the timeout again before each request
            return not self.fp.peek(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False


def _values(headers: http.client.HTTPMessage, name: str) -> list[str]:
    """Return the values of a list header, from all of its lines, in lower case."""
    lines = headers.get_all(name)
    return [value.strip().lower() for line in lines for value in line.split(",")] if lines else []
