"""Rows of CSV with a header of field names."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from producers.files.file_row import FileRow
from producers.files.mapping import FieldMapping
from producers.files.text import MAX_ROW_BYTES, NumberedLine, UnreadableFileError
from producers.model import shorten
from producers.new_job import OPTIONS_FIELD
from producers.receipt import FieldError

MAX_ROW_LINES = 200  # of a row: a limit for quotes that are not closed
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SEPARATOR = re.compile(r'"?sep=([,;|\t])"?\s*', re.IGNORECASE)  # Excel reads and writes this first line


class WrongHeaderError(UnreadableFileError):
    """No row can be read, because the header is wrong."""


def csv_rows(lines: Iterator[NumberedLine], mapping: FieldMapping) -> Iterator[FileRow]:
    """Yield the rows. An empty cell is a field that is not set; options are in columns like `_options.not_before`.

    Rows of empty cells are skipped.

    Raises:
        UnreadableFileError: the header is wrong.
    """
    reader = _LineReader(lines)
    delimiter = _read_separator(reader)
    header: _Header | None = None
    for first, last, cells in _csv_records(reader, delimiter):
        if isinstance(cells, FieldError):
            if header is None:
                raise WrongHeaderError(first, FieldError(cells.field, cells.value, f"the header {cells.message}"))
            yield FileRow(first, None, (cells,), last)
        elif not any(map(str.strip, cells)):
            continue
        elif header is None:
            names = [name.strip() for name in cells]
            if problems := _check_header(names, delimiter, mapping):
                raise WrongHeaderError(first, *problems)
            header = _Header(mapping.fields_of(names), [at for at, name in enumerate(names) if not name], mapping)
        else:
            yield header.read(first, last, cells)


def looks_like_header(line: str, mapping: FieldMapping) -> bool:
    """Return whether a line is a header of CSV, rather than a row of JSON."""
    if _SEPARATOR.fullmatch(line):
        return True
    headers = [[name.strip(' "') for name in line.split(delimiter)] for delimiter in DELIMITERS]
    return any(len(names) > 1 and mapping.count_known(names) for names in headers)


def _read_separator(lines: "_LineReader") -> str:
    """Read a first line like `sep=;`, and return the delimiter."""
    blank: list[NumberedLine] = []
    for number, line in lines:
        blank.append((number, line))
        if isinstance(line, FieldError) or line.strip():
            found = None if isinstance(line, FieldError) else _SEPARATOR.fullmatch(line)
            if found:
                return found[1]
            break
    lines.push_back(blank)
    return ","


def _check_header(header: list[str], delimiter: str, mapping: FieldMapping) -> list[FieldError]:
    line = delimiter.join(header)
    for other, name in DELIMITERS.items():
        parts = [part.strip(' "') for part in line.split(other)]
        if len(parts) > 1 and other != delimiter and _are_fields(parts, header, mapping):
            separator = "sep= and a tab" if other == "\t" else f"sep={other}"
            remedy = f"save it with commas, or write {separator} in a line before it"
            if other == ",":
                remedy = "remove the line before it, which begins with sep="
            problem = f"has {name} between its fields: {remedy}"
            return [FieldError("", shorten(line), problem)]
    return mapping.check(header)


def _are_fields(parts: list[str], header: list[str], mapping: FieldMapping) -> bool:
    """Return whether a header with another delimiter has more known fields."""
    return mapping.count_known(parts) > mapping.count_known(header) if mapping.known else len(header) == 1


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


def _csv_records(lines: _LineReader, delimiter: str) -> Iterator[tuple[int, int, list[str] | FieldError]]:
    """Yield the first and the last line number of each row, and its cells.

    A quote that is never closed spoils only its own line: reading continues with the next line.
    """
    for number, line in lines:
        if isinstance(line, FieldError):
            yield number, number, line
        elif line.strip():
            rest: list[NumberedLine] = []
            try:
                cells = next(csv.reader(_row_lines(line, lines, rest), strict=True, delimiter=delimiter))
            except csv.Error as error:
                lines.push_back(rest)
                problem = FieldError("", shorten(line.rstrip("\r\n")), _csv_error(str(error), several=bool(rest)))
                yield number, number, problem
            else:
                yield number, rest[-1][0] if rest else number, cells


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


@dataclass(frozen=True, slots=True)
class _Header:
    """The field of each column, None if it is ignored, and which columns have no name."""

    fields: list[str | None]
    unnamed: list[int]
    mapping: FieldMapping

    def read(self, first: int, last: int, cells: list[str]) -> FileRow:
        """Return a row."""
        if problem := self._problem(cells):
            return FileRow(first, None, (problem,), last)
        value: dict[str, Any] = {}
        options: dict[str, str] = {}
        for name, cell in zip(self.fields, cells, strict=False):
            if name is None or not cell:
                continue
            if name.startswith(f"{OPTIONS_FIELD}."):
                options[name.removeprefix(f"{OPTIONS_FIELD}.")] = cell
            else:
                value[name] = self.mapping.value_of(name, cell)
        if options:
            value[OPTIONS_FIELD] = options
        return FileRow(first, value, (), last)

    def _problem(self, cells: list[str]) -> FieldError | None:
        size = len(self.fields)
        if len(cells) < size or any(map(str.strip, cells[size:])):
            return FieldError("", f"{len(cells)} fields", f"must have as many fields as the header, {size}")
        for at in self.unnamed:
            if cells[at].strip() and not self.mapping.ignore_others:
                problem = f"must be empty in column {at + 1}, which has no name in the header"
                return FieldError("", shorten(cells[at]), problem)
        return None
