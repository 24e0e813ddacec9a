"""Reads rows of JSON Lines, or CSV with a header of field names. An invalid row has `field_errors`."""

import csv
import json
import math
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from producers.batching import InputRow
from producers.model import shorten
from producers.new_job import OPTIONS_FIELD
from producers.receipt import FieldError

MAX_ROW_BYTES = 256 * 1024
MAX_ROW_LINES = 200  # of a CSV row: a limit for quotes that are not closed
# The fields that are not text in a CSV cell. Lists are separated by ;, an empty list is ; alone.
NUMBERS = frozenset({"monetaryValue", "monetary_value", "forecastProbability", "forecast_probability"})
FLAGS = frozenset({"isRemoveAllFollowers", "is_remove_all_followers"})
LISTS = frozenset({"followers"})
Format = Literal["jsonl", "csv"]
NumberedLine = tuple[int, str | FieldError]
_NUMBER = re.compile(r"[+-]?[0-9]{1,400}(\.[0-9]*)?([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class FileRow(InputRow):
    """A row of a file, numbered by its first line. A quoted CSV cell may span several lines."""

    last_line: int = 0


def read_rows(file: BinaryIO, form: Format) -> Iterator[FileRow]:
    """Return the rows of a file, numbered by its lines. UTF-8, with or without a byte order mark."""
    lines = _lines(file)
    return _json_rows(lines) if form == "jsonl" else _csv_rows(lines)


def _lines(file: BinaryIO) -> Iterator[NumberedLine]:
    """Number and decode lines. A line that is too long is skipped without keeping it in memory."""
    number = 0
    while raw := file.readline(MAX_ROW_BYTES + 1):
        number += 1
        if len(raw) > MAX_ROW_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(MAX_ROW_BYTES)
            yield number, FieldError("", "", f"must be at most {MAX_ROW_BYTES} bytes long")
            continue
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            shown = shorten(raw[max(0, error.start - 8) : error.start + 8])
            what = _guess_encoding(raw) if number == 1 else None
            yield number, FieldError("", shown, f"must be UTF-8{what or f'; byte {error.start + 1} is not'}")
            continue
        at = line.find("\0")
        if at < 0:
            yield number, line
        else:
            shown = shorten(line[max(0, at - 20) : at + 20])
            yield number, FieldError("", shown, "must be UTF-8 without NUL; is it UTF-16?")


def _guess_encoding(beginning: bytes) -> str | None:
    """Return what a file may be instead of UTF-8 text."""
    if beginning.startswith(b"\x1f\x8b"):
        return ", and is compressed by gzip: see zcat"
    return ", and seems to be UTF-16" if beginning.startswith((b"\xff\xfe", b"\xfe\xff")) else None


def _json_rows(lines: Iterable[NumberedLine]) -> Iterator[FileRow]:
    for number, line in lines:
        if isinstance(line, FieldError):
            yield FileRow(number, None, (line,), number)
        elif line.strip():
            yield _json_row(number, line)


def _json_row(number: int, line: str) -> FileRow:
    value = decode(line)
    if isinstance(value, dict):
        return FileRow(number, value, (), number)
    problem = value if isinstance(value, FieldError) else FieldError("", shorten(value), "must be a JSON object")
    return FileRow(number, None, (problem,), number)


def decode(text: str) -> object:
    """Return the value of a JSON text, or its problem, such as a field that is given twice."""
    try:
        value: object = _DECODER.decode(text)
    except RecursionError:
        return FieldError("", "", "must not be nested so deeply")
    except json.JSONDecodeError as error:
        near = text[max(0, error.pos - 20) : error.pos + 20].strip()
        return FieldError("", shorten(near), f"is not JSON: {error.msg} at column {error.colno}")
    except _DuplicateNameError as error:
        return error.problem
    return value


class _DuplicateNameError(ValueError):
    """An object has a field twice, so its value is ambiguous."""

    def __init__(self, name: str, values: list[Any]) -> None:
        shown = " and ".join(shorten(value) for value in values[:2])
        self.problem = FieldError(shorten(name)[1:-1], shown, "must be given only once")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = _repeated([name for name, _ in pairs])[0]
        raise _DuplicateNameError(twice, [value for name, value in pairs if name == twice])
    return found


def _repeated(names: list[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


@dataclass(frozen=True, slots=True)
class _NotFinite:
    """A number that is not finite. No field accepts it, so the error names the field."""

    text: str

    def __str__(self) -> str:
        return self.text


def _integer(text: str) -> int | _NotFinite:
    return int(text) if len(text) <= 400 else _NotFinite(text)


def _float(text: str) -> float | _NotFinite:
    value = float(text)
    return value if math.isfinite(value) else _NotFinite(text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_NotFinite
)


def _csv_rows(lines: Iterator[NumberedLine]) -> Iterator[FileRow]:
    """An empty cell is a field that is not set; options are in columns like `_options.not_before`."""
    header: list[str] | None = None
    wrong: FieldError | None = None
    for first, last, fields in _csv_records(_LineReader(lines)):
        if isinstance(fields, FieldError):
            yield FileRow(first, None, (fields,), last)
        if header is None:
            header = [] if isinstance(fields, FieldError) else [name.strip() for name in fields]
            wrong = _wrong_header(header, first)
        elif not isinstance(fields, FieldError):
            yield _csv_row(first, last, header, fields) if wrong is None else FileRow(first, None, (wrong,), last)


def _wrong_header(header: list[str], line: int) -> FieldError | None:
    """Return the problem of the header, None if it is valid."""
    if not header:
        return FieldError("", "", f"cannot be read: the header in line {line} is invalid")
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        return FieldError("", shorten(header[0]), "must have commas between its fields, like the header")
    if "" in header:
        return FieldError("", "", f"cannot be read: column {header.index('') + 1} has no name in the header")
    if twice := _repeated(header):
        return FieldError(shorten(twice[0])[1:-1], "", "must be in the header only once")
    return None


class _LineReader:
    """Lines that can be pushed back and read again."""

    def __init__(self, lines: Iterator[NumberedLine]) -> None:
        self._lines = lines
        self._pushed_back: deque[NumberedLine] = deque()

    def __iter__(self) -> Iterator[NumberedLine]:
        return self

    def __next__(self) -> NumberedLine:
        return self._pushed_back.popleft() if self._pushed_back else next(self._lines)

    def push_back(self, lines: list[NumberedLine]) -> None:
        """Push lines back; the first is read next."""
        self._pushed_back.extendleft(reversed(lines))


def _csv_records(lines: _LineReader) -> Iterator[tuple[int, int, list[str] | FieldError]]:
    """Yield the first and the last line number of each row, and its cells.

    A quote that is never closed spoils only its own line: reading continues with the next line.
    """
    for number, line in lines:
        if isinstance(line, FieldError):
            yield number, number, line
        elif line.strip():
            rest: list[NumberedLine] = []
            try:
                fields = next(csv.reader(_row_lines(line, lines, rest), strict=True))
            except csv.Error as error:
                lines.push_back(rest)
                problem = FieldError("", shorten(line.rstrip("\r\n")), _csv_error(str(error), several=bool(rest)))
                yield number, number, problem
            else:
                yield number, rest[-1][0] if rest else number, fields


def _row_lines(first: str, lines: _LineReader, rest: list[NumberedLine]) -> Iterator[str]:
    """Yield the lines of one row for the CSV reader, and collect those after the first in `rest`."""
    yield first
    size = len(first)
    for number, line in lines:
        if isinstance(line, FieldError) or size + len(line) > MAX_ROW_BYTES or len(rest) == MAX_ROW_LINES:
            lines.push_back([(number, line)])
            return
        size += len(line)
        rest.append((number, line))
        yield line


def _csv_error(message: str, *, several: bool) -> str:
    if several or "end of data" in message:
        return "is not CSV: a quote that opens here is not closed"
    if "new-line character" in message:
        return "is not CSV: there is a carriage return outside quotes"
    return f"is not CSV: {message}"


def _csv_row(first: int, last: int, header: list[str], fields: list[str]) -> FileRow:
    if len(fields) != len(header):
        problem = FieldError("", f"{len(fields)} fields", f"must have as many fields as the header, {len(header)}")
        return FileRow(first, None, (problem,), last)
    value: dict[str, Any] = {}
    options: dict[str, str] = {}
    for name, field in zip(header, fields, strict=True):
        if not field:
            continue
        if name.startswith(f"{OPTIONS_FIELD}."):
            options[name.removeprefix(f"{OPTIONS_FIELD}.")] = field
        else:
            value[name] = parse_field(name, field)
    if options:
        value[OPTIONS_FIELD] = options
    return FileRow(first, value, (), last)


def parse_field(name: str, field: str) -> object:
    """Return the value of a cell. Invalid text is returned unchanged, and the model refuses it."""
    if name in NUMBERS:
        return number(field)
    if name in FLAGS:
        return {"true": True, "false": False}.get(field.strip().lower(), field)
    if name in LISTS:
        return [part.strip() for part in field.split(";") if part.strip()]
    return field


def number(field: str) -> float | int | str:
    """Return the number in a cell, or the cell itself, and the model refuses it."""
    if not _NUMBER.fullmatch(field.strip()):
        return field
    value = float(field)
    if not math.isfinite(value):
        return field
    return int(field) if field.strip().lstrip("+-").isdigit() else value
