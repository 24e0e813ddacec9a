"""Prints dead letters grouped by error."""

from collections.abc import Iterable

from lanes.dead_letters.groups import ErrorGroup
from lanes.printable import printable
from lanes.times import format_time
from ops.command.console import pluralize, say
from ops.command.table import Column, print_table

COLUMNS = (
    Column("count", right=True),
    Column("locations", right=True),
    Column("reason", alarm="red"),
    Column("status", right=True),
    Column("code"),
    Column("oldest"),
    Column("newest"),
    Column("example"),
    Column("message"),
)


def print_groups(groups: Iterable[ErrorGroup]) -> None:
    """Print the groups as a table, and the total."""
    rows = [
        (
            f"{each.count:,}",
            each.location_count,
            each.reason,
            each.status or "",
            each.code or "",
            format_time(each.oldest),
            format_time(each.newest),
            each.example,
            printable(each.message),
        )
        for each in groups
    ]
    print_table(COLUMNS, rows, "no dead letters")
    if rows:
        say(f"{pluralize(sum(each.count for each in groups), 'dead letter')} in {pluralize(len(rows), 'group')}")
