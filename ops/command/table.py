"""Tables: with colours and lines on a terminal, else plain columns for grep and awk."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lanes.printable import printable
from ops.command.console import say

GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and its alignment; `alarm` is the colour of every cell that is not 0 or empty."""

    heading: str
    right: bool = False
    alarm: str = ""


def draw(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table for a terminal."""
    table = Table(header_style="bold")
    for column in columns:
        table.add_column(column.heading, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(column, value) for column, value in zip(columns, row, strict=True)))
    return table


def _cell(column: Column, value: object) -> Text:
    return Text(printable(value), style=column.alarm if column.alarm and value not in (0, "", "-") else "")


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
        Console().print(draw(columns, rows))
    else:
        click.echo(plain(columns, rows))
