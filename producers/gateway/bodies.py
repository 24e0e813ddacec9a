"""Reads bodies: bounded in size and time."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from fastapi import Request

from producers.files.text import MAX_ROW_BYTES, NumberedLine, check_skipped, decode_utf8
from producers.gateway.problems import MEDIA, TOO_LARGE, TOO_SLOW, ProblemError
from producers.receipt import FieldError

BODY_SECONDS = 30.0  # for a whole body, and between two pieces of a batch
BATCH_SECONDS = 900.0  # for a whole batch
JSON = "application/json"
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")


def media_type(request: Request) -> str:
    """Return the content type of the body without parameters; a body in another encoding is refused.

    Raises:
        ProblemError: it is compressed.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError(MEDIA, "the body must not be compressed: send it without Content-Encoding")
    return request.headers.get("content-type", JSON).partition(";")[0].strip().lower()


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return a whole body.

    Raises:
        ProblemError: it is too large, or does not arrive in time.
    """
    length = request.headers.get("content-length", "0")
    if len(length) > 18 or int(length) > max_bytes:  # the HTTP parser has checked that it is a number
        raise too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > max_bytes:
                    raise too_large(max_bytes)
    except TimeoutError:
        raise too_slow(BODY_SECONDS) from None
    return bytes(body)


async def read_pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield a body in pieces as they arrive.

    Raises:
        ProblemError: the next piece does not arrive in time.
    """
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + BATCH_SECONDS
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout_at(min(ends_at, loop.time() + BODY_SECONDS)):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise too_slow(BATCH_SECONDS if loop.time() >= ends_at else BODY_SECONDS) from None
        yield piece


def too_large(max_bytes: int) -> ProblemError:
    """Return the problem of a body that is too large."""
    return ProblemError(TOO_LARGE, f"the body must be at most {max_bytes} bytes")


def too_slow(seconds: float) -> ProblemError:
    """Return the problem of a body that does not arrive in time."""
    return ProblemError(TOO_SLOW, f"the body did not arrive within {seconds:g} s")


class LineSplitter:
    """Splits pieces of a body into numbered lines, as `producers.files.text.read_lines` does with a file."""

    def __init__(self) -> None:
        self._number = 0
        self._rest = bytearray()
        self._skipped = 0  # bytes of a line that is too long

    def feed(self, piece: bytes) -> Sequence[NumberedLine]:
        """Return the lines that end in the piece.

        Raises:
            UnreadableFileError: a line is longer than any row.
        """
        *whole, rest = piece.split(b"\n")
        found = [self._end(line + b"\n") for line in whole]
        self._take(rest)
        return found

    def end(self) -> Sequence[NumberedLine]:
        """Return the last line, if the body does not end with a line end."""
        return [self._end(b"")] if self._rest or self._skipped else []

    def _take(self, piece: bytes) -> None:
        self._rest += piece
        if self._skipped or len(self._rest) > MAX_ROW_BYTES:
            self._skipped += len(self._rest)
            self._rest.clear()
            check_skipped(self._skipped, self._number + 1)

    def _end(self, piece: bytes) -> NumberedLine:
        self._take(piece)
        self._number += 1
        skipped, line = self._skipped, bytes(self._rest)
        self._rest.clear()
        self._skipped = 0
        if skipped:
            return self._number, FieldError("", "", f"must be at most {MAX_ROW_BYTES} bytes long")
        return self._number, decode_utf8(line, first=self._number == 1)
