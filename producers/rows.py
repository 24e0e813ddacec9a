"""Files of rows: JSON Lines, or CSV with a header of field names.

A broken row is a row with a problem, not an error.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Literal

from producers.errors import Problem
from producers.intake import Row
from producers.model import shorten
from producers.order import OPTIONS_FIELD

MAX_ROW_BYTES = 256 * 1024
NUMBERS = frozenset({"monetaryValue", "monetary_value"})
Format = Literal["jsonl", "csv"]


def read_rows(file: BinaryIO, form: Format) -> Iterator[Row]:
    """Return the rows of a file, numbered by its lines. UTF-8, with or without a byte order mark."""
    lines = _lines(file)
    return _json_rows(lines) if form == "jsonl" else _csv_rows(lines)


def _lines(file: BinaryIO) -> Iterator[tuple[int, str | Problem]]:
    """Number and decode lines; an overlong one is skipped to its end without being held in memory."""
    number = 0
    while raw := file.readline(MAX_ROW_BYTES + 1):
        number += 1
        if len(raw) > MAX_ROW_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(MAX_ROW_BYTES)
            yield number, Problem("", "", f"must be at most {MAX_ROW_BYTES} bytes long")
            continue
        try:
            yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            shown = shorten(raw[max(0, error.start - 8) : error.start + 8])
            yield number, Problem("", shown, f"must be UTF-8; byte {error.start + 1} is not")


def _json_rows(lines: Iterable[tuple[int, str | Problem]]) -> Iterator[Row]:
    for number, line in lines:
        if isinstance(line, Problem):
            yield Row(number, None, (line,))
        elif line.strip():
            yield _json_row(number, line)


def _json_row(number: int, line: str) -> Row:
    try:
        value = json.loads(line, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError:
        return Row(number, None, (Problem("", "", "must not be nested so deeply"),))
    except json.JSONDecodeError as error:
        near = line[max(0, error.pos - 20) : error.pos + 20].strip()
        return Row(number, None, (Problem("", shorten(near), f"is not JSON: {error.msg} at column {error.colno}"),))
    except ValueError as error:
        return Row(number, None, (Problem("", "", str(error)),))
    if not isinstance(value, dict):
        return Row(number, None, (Problem("", shorten(value), "must be a JSON object"),))
    return Row(number, value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        message = f"{next(name for name in names if names.count(name) > 1)}: stands there twice"
        raise ValueError(message)
    return found


def _no_constant(name: str) -> Any:
    message = f"{name} is not JSON; a number must be finite"
    raise ValueError(message)


def _csv_rows(lines: Iterable[tuple[int, str | Problem]]) -> Iterator[Row]:
    """A cell left empty is a field that is not set; options go in columns like `_options.not_before`."""
    source = _CsvSource(lines)
    reader = csv.reader(source, strict=True)
    header: list[str] | None = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            yield Row(source.number, None, (Problem("", "", f"is not CSV: {error}"),))
            reader = csv.reader(source, strict=True)
            continue
        yield from source.broken()
        if header is None:
            header = [name.strip() for name in cells]
        elif cells:
            yield _csv_row(source.number, header, cells)
    yield from source.broken()


class _CsvSource:
    """Feeds lines to the CSV reader, keeps the number of the last, and sets the undecodable ones aside."""

    def __init__(self, lines: Iterable[tuple[int, str | Problem]]) -> None:
        self._lines = iter(lines)
        self._broken: list[Row] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for number, line in self._lines:
            self.number = number
            if isinstance(line, str):
                return line
            self._broken.append(Row(number, None, (line,)))
        raise StopIteration

    def broken(self) -> list[Row]:
        """Return what was set aside since the last call."""
        broken, self._broken = self._broken, []
        return broken


def _csv_row(number: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        problem = Problem("", f"{len(cells)} cells", f"must have as many cells as the header, {len(header)}")
        return Row(number, None, (problem,))
    value: dict[str, Any] = {}
    options: dict[str, str] = {}
    for name, cell in zip(header, cells, strict=True):
        if not cell:
            continue
        if name.startswith(f"{OPTIONS_FIELD}."):
            options[name.removeprefix(f"{OPTIONS_FIELD}.")] = cell
        else:
            value[name] = _number(cell) if name in NUMBERS else cell
    if options:
        value[OPTIONS_FIELD] = options
    return Row(number, value)


def _number(cell: str) -> float | int | str:
    """Return the number in a cell, or the cell itself, for the model to refuse it by name."""
    try:
        return int(cell) if cell.lstrip("-").isdigit() else float(cell)
    except ValueError:
        return cell
