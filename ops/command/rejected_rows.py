"""The refused rows, written as they were, byte for byte: `--refused-to`."""

import shutil
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from producers.files.rows import FileRow, Format

IN_MEMORY_BYTES = 16 * 1024 * 1024
COPY_BYTES = 64 * 1024


class RejectedRows:
    """Remembers the lines that were read until it is known which of them were refused, and writes those.

    Does nothing without `out`. A CSV file gets the header of the source first, so that it can be enqueued as it is.
    """

    def __init__(self, out: BinaryIO | None, form: Format) -> None:
        self._out = out
        self._form = form
        self._buffer: LineBuffer | None = None
        self._last_lines: dict[int, int] = {}
        self._header: bytes | None = None

    def tee(self, source: BinaryIO) -> BinaryIO:
        """Return the source, its lines remembered."""
        if self._out is None:
            return source
        self._buffer = LineBuffer(source)
        return cast("BinaryIO", self._buffer)

    def add(self, row: FileRow) -> None:
        """Learn on which lines a row stands."""
        if self._buffer is None:
            return
        if self._header is None:
            lines = row.number - 1 if self._form == "csv" else 0
            self._header = self._buffer.text(1, lines)
        self._last_lines[row.number] = row.last_line

    def write_rejected(self, refused: Iterable[int], last_row: int) -> None:
        """Write these rows; every row up to `last_row` is done with."""
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
            self._buffer.forget(self._last_lines[done[-1]])
        for number in done:
            del self._last_lines[number]

    def close(self) -> None:
        """Forget everything."""
        if self._buffer is not None:
            self._buffer.close()


class LineBuffer:
    """A binary file that keeps what was read from it, by lines, in memory and then on disk, until told to forget."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._kept = self._new_store()
        self._first = 1
        self._starts = [0]

    @staticmethod
    def _new_store() -> "SpooledTemporaryFile[bytes]":
        return SpooledTemporaryFile(IN_MEMORY_BYTES)

    def readline(self, limit: int = -1) -> bytes:
        """Read as the source does."""
        piece = self._source.readline(limit)
        self._kept.write(piece)
        if piece.endswith(b"\n"):
            self._starts.append(self._kept.tell())
        return piece

    def text(self, first: int, last: int) -> bytes:
        """Return these lines."""
        start, end = self._span(first, last)
        self._kept.seek(start)
        found = self._kept.read(end - start)
        self._kept.seek(0, 2)
        return found

    def copy(self, first: int, last: int, out: BinaryIO) -> None:
        """Write these lines; the last one gets a line end when it has none."""
        start, end = self._span(first, last)
        self._kept.seek(start)
        piece = b"\n"
        while start < end and (piece := self._kept.read(min(COPY_BYTES, end - start))):
            start += len(piece)
            out.write(piece)
        if not piece.endswith(b"\n"):
            out.write(b"\n")
        self._kept.seek(0, 2)

    def forget(self, last: int) -> None:
        """Let go of the lines up to this one."""
        _, end = self._span(last, last)
        kept = self._new_store()
        self._kept.seek(end)
        shutil.copyfileobj(self._kept, kept)
        self._kept.close()
        self._kept = kept
        self._starts = [start - end for start in self._starts[last + 1 - self._first :]] or [0]
        self._first = last + 1

    def close(self) -> None:
        """Let go of all that is kept."""
        self._kept.close()

    def _span(self, first: int, last: int) -> tuple[int, int]:
        behind = last + 1 - self._first
        end = self._starts[behind] if behind < len(self._starts) else self._kept.seek(0, 2)
        return self._starts[first - self._first], end
