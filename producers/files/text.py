"""The text of a file: recognized, unpacked, and split into numbered lines."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from producers.files.file_types import GZIP, ZIP, recognize
from producers.model import shorten
from producers.receipt import FieldError

MAX_ROW_BYTES = 256 * 1024
MAX_SKIPPED_BYTES = 64 * 1024 * 1024  # of one row: a limit for files that are no text
CHUNK_BYTES = 64 * 1024
NAMES_BYTES = 512
BOM = b"\xef\xbb\xbf"
NumberedLine = tuple[int, str | FieldError]
Copy = Callable[[bytes], object]


class UnreadableFileError(Exception):
    """A file cannot be read from a row on. `array_line` is the line of an element of a JSON array."""

    def __init__(self, number: int, *problems: FieldError, array_line: int | None = None) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.number = number
        self.problems = problems
        self.array_line = array_line


class DamagedError(Exception):
    """Compressed data are incomplete or damaged."""


@dataclass(frozen=True, slots=True)
class Text:
    """The unpacked text of a file, and its first line that is not blank, with its number."""

    file: io.BufferedReader
    first_line: bytes
    first_number: int


def open_text(file: BinaryIO) -> Text:
    """Recognize what a file is, and unpack gzip while it is read. Waits for no more than the first line.

    Raises:
        UnreadableFileError: it is no text; the message says what it is and what to do.
    """
    beginning = _read_beginning(file)
    source = _rejoin(beginning, file)
    if beginning.startswith(GZIP):
        unpacked = io.BufferedReader(_Gunzip(source), CHUNK_BYTES)
        try:
            beginning = _read_beginning(unpacked)
        except DamagedError as error:
            raise UnreadableFileError(1, FieldError("", "", str(error))) from None
        source = _rejoin(beginning, unpacked)
    if problem := recognize(beginning):
        raise UnreadableFileError(1, FieldError("", "", problem))
    first_line = beginning.removeprefix(BOM).lstrip()
    return Text(source, first_line, beginning[: len(beginning) - len(first_line)].count(b"\n") + 1)


def _read_beginning(file: BinaryIO | io.BufferedReader) -> bytes:
    """Read blank lines and the first line with content."""
    found = bytearray()
    while len(found) <= MAX_ROW_BYTES and (line := file.readline(MAX_ROW_BYTES + 1)):
        found += line
        if line.removeprefix(BOM).strip():
            break
    if found.startswith(ZIP):  # its first names say what it is
        found += cast("io.BufferedReader", file).read1(NAMES_BYTES)
    return bytes(found)


def _rejoin(beginning: bytes, file: BinaryIO | io.BufferedReader) -> io.BufferedReader:
    return io.BufferedReader(_Rejoined(beginning, file), CHUNK_BYTES)


class _Rejoined(io.RawIOBase):
    """A file whose beginning was read already."""

    def __init__(self, beginning: bytes, file: BinaryIO | io.BufferedReader) -> None:
        self._beginning = memoryview(beginning)
        self._file = cast("io.BufferedReader", file)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = bytes(self._beginning[: len(buffer)]) or self._file.read1(len(buffer))
        self._beginning = self._beginning[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


class _Gunzip(io.RawIOBase):
    """The unpacked bytes of a gzip file."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = gzip.GzipFile(fileobj=file)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._file.read1(len(buffer))
        except EOFError:
            raise DamagedError("the gzip file ends too early; the rows before were read") from None
        except (gzip.BadGzipFile, zlib.error):
            raise DamagedError("the gzip file is damaged; the rows before were read, and may be wrong") from None
        buffer[: len(piece)] = piece
        return len(piece)


def read_lines(file: io.BufferedReader, copy: Copy | None) -> Iterator[NumberedLine]:
    """Number and decode lines. A line that is too long is skipped without keeping it in memory.

    Args:
        file: from `open_text`.
        copy: is called with the bytes of each line, in pieces.

    Raises:
        UnreadableFileError: the file is damaged, or is no text.
    """
    number = 0
    try:
        while raw := _read_piece(file, copy):
            number += 1
            if len(raw) > MAX_ROW_BYTES:
                _skip_line(file, copy, raw, number)
                yield number, FieldError("", "", f"must be at most {MAX_ROW_BYTES} bytes long")
            else:
                yield number, decode_utf8(raw, first=number == 1)
    except DamagedError as error:
        raise UnreadableFileError(number + 1, FieldError("", "", str(error))) from None


def _read_piece(file: io.BufferedReader, copy: Copy | None) -> bytes:
    piece = file.readline(MAX_ROW_BYTES + 1)
    if copy is not None and piece:
        copy(piece)
    return piece


def _skip_line(file: io.BufferedReader, copy: Copy | None, piece: bytes, number: int) -> None:
    size = 0
    while piece and not piece.endswith(b"\n"):
        check_skipped(size := size + len(piece), number)
        piece = _read_piece(file, copy)


def check_skipped(size: int, number: int, array_line: int | None = None) -> None:
    """Give up on a row that never ends.

    Raises:
        UnreadableFileError: `size` is beyond all rows.
    """
    if size > MAX_SKIPPED_BYTES:
        problem = f"is longer than {MAX_SKIPPED_BYTES} bytes: the file is not read any further; is it text?"
        raise UnreadableFileError(number, FieldError("", "", problem), array_line=array_line)


def decode_utf8(raw: bytes, *, first: bool = False) -> str | FieldError:
    """Return the text of a row. The first one may begin with a byte order mark."""
    try:
        text = raw.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        shown = shorten(raw[max(0, error.start - 8) : error.start + 8])
        return FieldError("", shown, f"must be UTF-8; byte {error.start + 1} is not: save the file as UTF-8")
    at = text.find("\0")
    if at < 0:
        return text
    return FieldError("", shorten(text[max(0, at - 20) : at + 20]), "must be UTF-8 without NUL; is it UTF-16?")
