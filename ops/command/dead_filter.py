"""The filter options of the commands for dead letters."""

from typing import Any

import click

from lanes.dead_letters.filter import REASONS, DeadLetterFilter
from ops.command.console import Duration, LocationId, PrintableWord, options

filter_options = options(
    click.option("--location", "location_id", type=LocationId(), help="Only of this location."),
    click.option("--reason", type=click.Choice(REASONS), help="Only with this reason."),
    click.option("--status", type=click.IntRange(100, 599), help="Only if the last answer had this status."),
    click.option("--message", metavar="TEXT", type=PrintableWord(), help="Only if the last answer contains this text."),
    click.option(
        "--message-pattern",
        metavar="TEXT",
        type=PrintableWord(),
        help="Only if the last answer is this text, with … for ids, as list --group prints it.",
    ),
    click.option("--code", type=PrintableWord(), help="Only if the last answer had this error code."),
    click.option("--service", metavar="NAME", type=PrintableWord(), help="Only of this service."),
    click.option("--older-than", metavar="AGE", type=Duration(), help="Only if failed longer ago: 30m, 12h, 7d."),
    click.option("--newer-than", metavar="AGE", type=Duration(), help="Only if failed since then: 30m, 12h, 7d."),
)


def take_filter(given: dict[str, Any]) -> DeadLetterFilter:
    """Remove the filter options from `given` and return the filter."""
    return DeadLetterFilter(**{name: given.pop(name) for name in DeadLetterFilter.__dataclass_fields__})
