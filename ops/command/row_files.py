"""Files of rows: their formats, and how they are opened."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from ops.command.console import options, say
from producers.files.rows import Format

FORMATS: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
NOT_ROWS = (".xlsx", ".xls", ".ods", ".zip")  # the reader says what to do with them
INPUT_FORMATS: dict[str, Format] = {**FORMATS, ".json": "jsonl", **dict.fromkeys(NOT_ROWS, "csv")}

input_file = options(
    click.argument(
        "file", metavar="FILE|-", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True)
    ),
    click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), help="[default: by the file's extension]"),
)


def input_format(file: str) -> Format:
    """Return the format of a file to read by its extension, which .gz may follow; JSON Lines for stdin."""
    name = file[:-3] if file.lower().endswith(".gz") else file
    return _format(file, INPUT_FORMATS.get(Path(name).suffix.lower()))


def output_format(file: str) -> Format:
    """Return the format of a file to write by its extension; JSON Lines for stdout."""
    return _format(file, FORMATS.get(Path(file).suffix.lower()))


def _format(file: str, form: Format | None) -> Format:
    if form is None and file != "-":
        raise click.UsageError(f"{file}: unknown extension: add --format jsonl or --format csv")
    return form or "jsonl"


@contextlib.contextmanager
def opened(file: str) -> Iterator[BinaryIO]:
    """Open a file, or stdin."""
    if file == "-":
        if sys.stdin.isatty():
            say("type one row per line; end with Ctrl-D at the start of a line")
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as source:
        yield source
