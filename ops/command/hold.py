"""`lanes hold`: stop a lane."""

import click

from ops.command.session import Session, connected
from ops.command.words import LocationId, PrintableWord, examples, say

HELD_BY = "operator"


@click.command(
    epilog=examples(
        "lanes hold ve9EPM428h8vShlRW1KT --reason 'wrong pipeline, asked the customer'",
        "lanes resume ve9EPM428h8vShlRW1KT",
    )
)
@click.argument("location_id", metavar="LOCATION", type=LocationId())
@click.option("--reason", required=True, type=PrintableWord(), help="Why, for whoever looks at it later.")
@connected
def hold(session: Session, location_id: str, reason: str) -> None:
    """Stop the lane of a location: jobs are accepted and wait; what is on its way ends. Other lanes go on."""
    store = session.store
    known = store.client.sismember(store.key("locations"), location_id)
    store.hold(location_id, reason, HELD_BY)
    note = "" if known else " (it never had a job; mistyped?)"
    say(f"{location_id} is held{note}; let it go on with: lanes resume {location_id}")
