"""What `lanes service show` tells of the outcomes of a service."""

import click

from lanes.outcomes.store import OutcomeSummary
from ops.command.table import Column, print_table

COLUMNS = (
    Column("group"),
    Column("unread", right=True),
    Column("behind", right=True),
    Column("unacknowledged", right=True),
)


def print_outcomes(summary: OutcomeSummary) -> None:
    """Print how many are kept, and how far each group has read."""
    oldest = "" if summary.oldest_seconds is None else f", the oldest {summary.oldest_seconds:.0f} s old"
    click.echo(f"outcomes kept: {summary.entries}{oldest}")
    if summary.lost_unread:
        click.echo(f"removed before a group had read them: {summary.lost_unread}")
    rows = [
        (
            group.name,
            "?" if group.unread is None else group.unread,
            f"{group.behind_seconds:.0f} s",
            group.unacknowledged,
        )
        for group in summary.groups
    ]
    print_table(COLUMNS, rows, "no group reads them")
