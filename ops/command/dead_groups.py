"""Prints dead letters that died of the same thing, counted together."""

from collections.abc import Iterable

from lanes.letter_groups import Group
from lanes.printable import printable
from ops.command.table import Column, print_table
from ops.command.words import counted, moment, say

COLUMNS = (
    Column("letters", right=True),
    Column("locations", right=True),
    Column("reason", alarm="red"),
    Column("status", right=True),
    Column("code"),
    Column("oldest"),
    Column("newest"),
    Column("one of them"),
    Column("message"),
)


def print_groups(groups: Iterable[Group]) -> None:
    """Print a table of the groups, and the sum."""
    rows = [
        (
            f"{each.count:,}",
            each.places,
            each.reason,
            each.status or "",
            each.code or "",
            moment(each.oldest),
            moment(each.newest),
            each.example,
            printable(each.message),
        )
        for each in groups
    ]
    if rows:
        print_table(COLUMNS, rows)
    total = sum(each.count for each in groups)
    say(f"{counted(total, 'dead letter')} in {counted(len(rows), 'group')}" if rows else "no dead letters")
