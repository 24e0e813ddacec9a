"""Reads the rows of a file: JSON Lines, a JSON array, or CSV. An invalid row has `field_errors`."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from producers.files.csv_rows import WrongHeaderError, csv_rows, looks_like_header
from producers.files.file_row import FileRow, Format
from producers.files.json_rows import json_array, json_lines
from producers.files.mapping import FieldMapping
from producers.files.text import MAX_ROW_BYTES, Copy, Text, UnreadableFileError, open_text, read_lines
from producers.model import shorten
from producers.receipt import FieldError

__all__ = ["MAX_ROW_BYTES", "FieldMapping", "FileRow", "Format", "read_rows"]
ANY_COLUMNS = FieldMapping()


def read_rows(
    file: BinaryIO, form: Format, mapping: FieldMapping = ANY_COLUMNS, copy: Copy | None = None
) -> Iterator[FileRow]:
    """Yield the rows of a file, numbered by its lines; the elements of an array are numbered by themselves.

    The file is UTF-8, with or without a byte order mark, and may be compressed by gzip. If it cannot be read from a
    row on, the last row is `unreadable` and says why.

    Args:
        file: is read as far as needed; its first line decides what it is.
        form: how it is written; an array is recognized.
        mapping: what the columns and the missing fields of rows become.
        copy: is called with the unpacked bytes of each line, or each element of an array as a line, in pieces.
    """
    try:
        text = open_text(file)
        for row in _rows_of(text, form, mapping, copy):
            if mapping.defaults and isinstance(row.value, dict):
                yield replace(row, value=mapping.complete(row.value))
            else:
                yield row
    except UnreadableFileError as error:
        yield FileRow(error.number, None, error.problems, error.number, error.array_line, unreadable=True)


def _rows_of(text: Text, form: Format, mapping: FieldMapping, copy: Copy | None) -> Iterator[FileRow]:
    if form == "jsonl" and text.first_line.startswith(b"["):
        yield from json_array(text.file, copy)
        return
    lines = read_lines(text.file, copy)
    try:
        _check_format(text, form, mapping)
        yield from json_lines(lines) if form == "jsonl" else csv_rows(lines, mapping)
    except WrongHeaderError:
        if copy is not None:
            deque(lines, maxlen=0)  # so that the whole file can be fixed
        raise


def _check_format(text: Text, form: Format, mapping: FieldMapping) -> None:
    first_line = text.first_line.decode(errors="replace").rstrip()
    is_json = first_line.startswith(("{", "["))
    if form == "csv" and is_json:
        problem = "is JSON, no header: add --format jsonl"
    elif form == "jsonl" and not is_json and looks_like_header(first_line, mapping):
        problem = "is CSV: add --format csv"
    else:
        return
    raise WrongHeaderError(text.first_number, FieldError("", shorten(first_line), problem))
