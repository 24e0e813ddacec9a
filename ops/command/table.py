"""Tables: with colours and lines on a terminal, else plain columns for grep and awk.

`rich` is imported for a terminal only: it is a tenth of the start of a command.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from lanes.printable import printable
from ops.command.console import say

if TYPE_CHECKING:
    from rich.table import Table

GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and its alignment; `alarm` is the colour of every cell that is not 0 or empty."""

    heading: str
    right: bool = False
    alarm: str = ""


def draw(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> "Table":
    """Return a table for a terminal."""
    from rich.table import Table  # noqa: PLC0415 - for a terminal only
    from rich.text import Text  # noqa: PLC0415

    def cell(column: Column, value: object) -> Text:
        return Text(printable(value), style=column.alarm if column.alarm and value not in (0, "", "-") else "")

    table = Table(header_style="bold")
    for column in columns:
        table.add_column(column.heading, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell(column, value) for column, value in zip(columns, row, strict=True)))
    return table


def plain(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as aligned columns, separated by two spaces; nothing is cut off."""
    lines = [[column.heading.replace(" ", "_") for column in columns]]
    lines += [[printable(value) or "-" for value in row] for row in rows]
    widths = [max(len(line[position]) for line in lines) for position in range(len(columns))]
    return "\n".join(
        GAP.join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    )


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[object]], none: str = "") -> None:
    """Print a table to stdout. Without rows, print `none` to stderr."""
    if not rows:
        if none:
            say(none)
    elif sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415 - for a terminal only

        Console().print(draw(columns, rows))
    else:
        click.echo(plain(columns, rows))
