"""Splits a JSON array into its elements while it is read. Looks at brackets, commas and quotes only."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader

from producers.files.text import (
    CHUNK_BYTES,
    MAX_ROW_BYTES,
    Copy,
    DamagedError,
    UnreadableFileError,
    check_skipped,
)
from producers.model import shorten
from producers.receipt import FieldError

# The next bracket, comma or quote. Strings without escapes, and commas within an element, are skipped.
_BETWEEN = re.compile(rb'(?:[^"\[\]{},]++|"[^"\\\n]*+")*+(["\[\]{},])')
_WITHIN = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\\n]*+")*+(["\[\]{}])')
_IN_STRING = re.compile(rb'[^"\\\n]*+(["\n]|\\.?)', re.DOTALL)
_TOO_LONG = f"must be at most {MAX_ROW_BYTES} bytes long; is a quote or a bracket before it not closed?"
_NOT_CLOSED = "the array ends without ]: is the file complete? The rows before were read"


@dataclass(frozen=True, slots=True)
class Element:
    """The bytes of an element, its number and the line where it begins, or why it cannot be read."""

    number: int
    line: int
    raw: bytes = b""
    problem: FieldError | None = None


def read_elements(file: BufferedReader, copy: Copy | None) -> Iterator[Element]:
    """Yield the elements of the array that a file begins with.

    Args:
        file: from `open_text`.
        copy: is called with the bytes of each element on one line, in pieces.

    Raises:
        UnreadableFileError: the file is damaged, or does not end with its array.
    """
    array = _Array(copy)
    try:
        while chunk := file.read1(CHUNK_BYTES):
            yield from array.feed(chunk)
    except DamagedError as error:
        raise array.unreadable(str(error)) from None
    if not array.closed:
        raise array.unreadable(_NOT_CLOSED)


class _Array:
    """How far an array was read: `depth` is the number of open brackets. Keeps the bytes of one element."""

    def __init__(self, copy: Copy | None) -> None:
        self.closed = False
        self._copy = copy
        self._depth = 0
        self._in_string = False
        self._escaped = False  # the last chunk ended within an escape
        self._number = 1
        self._line = 1
        self._first_line = 1
        self._raw = bytearray()
        self._size = 0

    def unreadable(self, problem: str, shown: str = "") -> UnreadableFileError:
        """Return the error that ends the reading at the current element."""
        self._copy_on_one_line(bytes(self._raw))
        return UnreadableFileError(self._number, FieldError("", shown, problem), array_line=self._line)

    def feed(self, chunk: bytes) -> Iterator[Element]:
        """Yield the elements that end in the chunk."""
        start = at = self._open(chunk) if not self._depth else int(self._escaped)
        if self._escaped:
            self._take(chunk[:1])
            self._escaped = False
        while not self.closed and (found := self._pattern.match(chunk, at)):
            at = found.end()
            if self._ends_element(found[1]):
                self._take(chunk[start : at - 1])
                self._line += found[1] == b"\n"
                start = at
                yield from self._end_element()
        if not self.closed:
            self._take(chunk[start:])
        elif rest := chunk[start:].strip():
            raise self.unreadable("is behind the end of the array: all rows must be in one array", shorten(rest[:40]))

    @property
    def _pattern(self) -> re.Pattern[bytes]:
        if self._in_string:
            return _IN_STRING
        return _BETWEEN if self._depth == 1 else _WITHIN

    def _open(self, chunk: bytes) -> int:
        """Return where the first element begins. Before the bracket there are only blanks."""
        start = chunk.find(b"[") + 1
        self._depth = int(start > 0)
        self._line += chunk.count(b"\n", 0, start or len(chunk))
        return start or len(chunk)

    def _ends_element(self, mark: bytes) -> bool:
        """Follow a bracket, comma or quote. Return whether it ends an element."""
        if mark == b"\n":  # no string has a line end: the element is broken, and the next line is read as another
            self._in_string, self._depth = False, 1
            return True
        if self._in_string:
            self._in_string = mark != b'"'
            self._escaped = mark == b"\\"
        elif mark == b'"':
            self._in_string = True
        elif mark in (b"[", b"{"):
            self._depth += 1
        elif self._depth == 1:
            self.closed = mark == b"]"
            return mark != b"}"
        else:
            self._depth -= 1
        return False

    def _take(self, piece: bytes) -> None:
        """Add bytes to the element."""
        if not self._raw and not self._size:
            bare = piece.lstrip()
            self._line += piece.count(b"\n", 0, len(piece) - len(bare))
            self._first_line = self._line
            piece = bare
        self._line += piece.count(b"\n")
        self._size += len(piece)
        if self._size <= MAX_ROW_BYTES:
            self._raw += piece
            return
        check_skipped(self._size, self._number, self._first_line)
        self._copy_on_one_line(bytes(self._raw) + piece)
        self._raw.clear()

    def _end_element(self) -> Iterator[Element]:
        raw, size, number, line = bytes(self._raw).rstrip(), self._size, self._number, self._first_line
        self._raw.clear()
        self._size = 0
        if self.closed and not raw and not size and number == 1:
            return
        self._copy_on_one_line(raw)
        if self._copy is not None:
            self._copy(b"\n")
        self._number += 1
        problem = None
        if size > MAX_ROW_BYTES:
            problem = _TOO_LONG
        elif not raw:
            problem = "is empty: there is a comma too many"
        yield Element(number, line, raw, FieldError("", "", problem) if problem else None)

    def _copy_on_one_line(self, raw: bytes) -> None:
        if self._copy is not None:
            self._copy(raw.replace(b"\n", b" "))
