"""Rows of JSON: JSON Lines, or one array over any number of lines."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BufferedReader
from typing import Any

from producers.files.file_row import FileRow
from producers.files.json_array import Element, read_elements
from producers.files.text import Copy, NumberedLine, decode_utf8
from producers.model import shorten
from producers.receipt import FieldError

_LONE_BRACE = "; write each object on one line (jq -c .), or all in one array"


def json_lines(lines: Iterator[NumberedLine]) -> Iterator[FileRow]:
    """Yield the rows of JSON Lines."""
    for number, line in lines:
        if isinstance(line, FieldError):
            yield FileRow(number, None, (line,), number)
        elif line.strip():
            yield json_row(number, line)


def json_array(file: BufferedReader, copy: Copy | None) -> Iterator[FileRow]:
    """Yield the elements of an array. `copy` gets each as a line of JSON Lines."""
    for element in read_elements(file, copy):
        yield replace(_element_row(element), array_line=element.line)


def _element_row(element: Element) -> FileRow:
    text = element.problem or decode_utf8(element.raw)
    if isinstance(text, FieldError):
        return FileRow(element.number, None, (text,), element.number)
    return json_row(element.number, text)


def json_row(number: int, text: str) -> FileRow:
    """Return a row of JSON: an object, or its problem."""
    value = decode(text)
    if isinstance(value, dict):
        return FileRow(number, value, (), number)
    problem = value if isinstance(value, FieldError) else FieldError("", shorten(value), "must be a JSON object")
    if text.strip() == "{":
        problem = replace(problem, message=problem.message + _LONE_BRACE)
    return FileRow(number, None, (problem,), number)


def decode(text: str) -> object:
    """Return the value of a JSON text, or its problem, such as a field that is given twice."""
    try:
        value: object = _DECODER.decode(text)
    except RecursionError:
        return FieldError("", "", "must not be nested so deeply")
    except json.JSONDecodeError as error:
        near = text[max(0, error.pos - 20) : error.pos + 20].strip()
        return FieldError("", shorten(near), f"is not JSON: {error.msg.removesuffix(' at')} at column {error.colno}")
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
        twice = repeated([name for name, _ in pairs])[0]
        raise _DuplicateNameError(twice, [value for name, value in pairs if name == twice])
    return found


def repeated(names: list[str]) -> list[str]:
    """Return the names that are in the list more than once."""
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
