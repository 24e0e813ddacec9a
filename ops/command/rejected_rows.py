"""Copies the refused rows of a file byte for byte, elements of a JSON array as JSON Lines: `--refused-to`."""

import shutil
import sys
from collections.abc import Callable, Iterable
from tempfile import SpooledTemporaryFile
from typing import BinaryIO

from producers.files.rows import FileRow, Format

IN_MEMORY_BYTES = 16 * 1024 * 1024
COPY_BYTES = 64 * 1024


class RejectedRows:
    """Keeps the lines that were read until their batch is done, then writes the refused ones to `out`, if given.

    A CSV file gets the header of the source first, so that it can be enqueued.
    """

    def __init__(self, out: BinaryIO | None, form: Format) -> None:
        self._out = out
        self._form = form
        self._buffer = LineBuffer() if out is not None else None
        self._last_lines: dict[int, int] = {}
        self._header: bytes | None = None

    @property
    def copy(self) -> Callable[[bytes], object] | None:
        """What takes the lines as they are read; None if they are not copied."""
        return None if self._buffer is None else self._buffer.write

    def add(self, row: FileRow) -> None:
        """Note the lines of a row."""
        if self._buffer is None:
            return
        if self._header is None:
            lines = row.number - 1 if self._form == "csv" else 0
            self._header = self._buffer.text(1, lines)
        self._last_lines[row.number] = sys.maxsize if row.unreadable else row.last_line

    def write_rejected(self, refused: Iterable[int], last_row: int) -> None:
        """Write these rows, and drop the lines of all rows up to `last_row`."""
        if self._out is None or self._buffer is None:
            return
        for number in refused:
            if self._header:
                self._out.write(self._header)
                self._header = b""
            self._buffer.copy(number, self._last_lines[number], self._out)
        self._out.flush()
        done = [number for number in self._last_lines if number <= last_row]
        if done:
            self._buffer.drop(self._last_lines[done[-1]])
        for number in done:
            del self._last_lines[number]

    def close(self) -> None:
        """Drop all lines."""
        if self._buffer is not None:
            self._buffer.close()


class LineBuffer:
    """Keeps lines until they are dropped; large amounts go to disk."""

    def __init__(self) -> None:
        self._kept = SpooledTemporaryFile[bytes](IN_MEMORY_BYTES)
        self._first = 1
        self._starts = [0]

    def write(self, piece: bytes) -> None:
        """Add a line, or a piece of one."""
        self._kept.write(piece)
        if piece.endswith(b"\n"):
            self._starts.append(self._kept.tell())

    def text(self, first: int, last: int) -> bytes:
        """Return these lines."""
        start, end = self._span(first, last)
        self._kept.seek(start)
        found = self._kept.read(end - start)
        self._kept.seek(0, 2)
        return found

    def copy(self, first: int, last: int, out: BinaryIO) -> None:
        """Write these lines; a last one without a line end gets one."""
        start, end = self._span(first, last)
        self._kept.seek(start)
        piece = b"\n"
        while start < end and (piece := self._kept.read(min(COPY_BYTES, end - start))):
            start += len(piece)
            out.write(piece)
        if not piece.endswith(b"\n"):
            out.write(b"\n")
        self._kept.seek(0, 2)

    def drop(self, last: int) -> None:
        """Drop the lines up to this one."""
        end = self._end(last)
        kept = SpooledTemporaryFile[bytes](IN_MEMORY_BYTES)
        self._kept.seek(end)
        shutil.copyfileobj(self._kept, kept)
        self._kept.close()
        self._kept = kept
        self._starts = [start - end for start in self._starts[last + 1 - self._first :]] or [0]
        self._first = last + 1

    def close(self) -> None:
        """Drop all lines."""
        self._kept.close()

    def _span(self, first: int, last: int) -> tuple[int, int]:
        return self._starts[first - self._first], self._end(last)

    def _end(self, last: int) -> int:
        following = last + 1 - self._first
        return self._starts[following] if following < len(self._starts) else self._kept.seek(0, 2)
