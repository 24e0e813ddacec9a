"""The filters that commands take to say which dead letters they are about."""

from typing import Any

import click

from lanes.dead_letters.filter import REASONS, DeadLetterFilter
from ops.command.console import Duration, LocationId, PrintableWord, options

filter_options = options(
    click.option("--location", "location_id", type=LocationId(), help="Only those of this location."),
    click.option("--reason", type=click.Choice(REASONS), help="Only those with this reason."),
    click.option("--status", type=click.IntRange(100, 599), help="Only those whose last answer had this status."),
    click.option(
        "--message",
        metavar="TEXT",
        type=PrintableWord(),
        help="Only those whose last answer holds this text, in any case.",
    ),
    click.option(
        "--message-pattern",
        metavar="TEXT",
        type=PrintableWord(),
        help="Only those whose last answer is this text, with … for the ids in it, as list --group prints it.",
    ),
    click.option("--code", type=PrintableWord(), help="Only those whose last answer had this error code."),
    click.option("--service", metavar="NAME", type=PrintableWord(), help="Only those that this service enqueued."),
    click.option(
        "--older-than", metavar="AGE", type=Duration(), help="Only those that failed longer ago: 30m, 12h, 7d."
    ),
    click.option(
        "--newer-than", metavar="AGE", type=Duration(), help="Only those that failed since then: 30m, 12h, 7d."
    ),
)


def take_filter(given: dict[str, Any]) -> DeadLetterFilter:
    """Take the filters out of what a command was given."""
    return DeadLetterFilter(**{name: given.pop(name) for name in DeadLetterFilter.__dataclass_fields__})
