"""`lanes hold`: stop a lane, or all of them."""

import click

from lanes.printable import printable
from ops.command.console import LocationId, PrintableWord, examples, say
from ops.command.session import Session, connected

HELD_BY = "operator"
RESERVED_HOLDERS = ("authorization", "outage")  # who holds lanes beside people


@click.command(
    epilog=examples(
        "lanes hold ve9EPM428h8vShlRW1KT --reason 'wrong pipeline, asked the customer' --by ada",
        "lanes resume ve9EPM428h8vShlRW1KT",
        "lanes hold --all --reason 'wrong prices since noon'",
        "lanes resume --all",
    )
)
@click.argument("location_id", metavar="[LOCATION]", required=False, type=LocationId())
@click.option("--all", "everything", is_flag=True, help="Every lane, also those that come.")
@click.option("--reason", required=True, type=PrintableWord(), help="Why, for whoever looks at it later.")
@click.option("--by", type=PrintableWord(), default=HELD_BY, show_default=True, help="Who holds it.")
@connected
def hold(session: Session, location_id: str | None, reason: str, by: str, *, everything: bool) -> None:
    """Stop the lane of a location, or all: jobs are accepted and wait; what is on its way ends. Other lanes go on.

    A lane whose token was refused keeps that cause beside yours: a new token takes away the one, lanes resume both.

    The time for which a job was held is added to the time at which it expires, unless it was enqueued with
    expires_while_held.
    """
    if everything == (location_id is not None):
        raise click.UsageError("say which: LOCATION or --all")
    if by in RESERVED_HOLDERS:
        raise click.UsageError(f"--by: must be a person's name ({by} is what the lanes themselves say)")
    who = None if by == HELD_BY else by
    if location_id is None:
        before = session.store.global_state()
        session.log_change("hold", "everything", reason, who)
        session.store.hold_all(reason, by)
        note = f" (it was by {printable(before.held_by)}: {printable(before.hold)})" if before.hold else ""
        say(f"everything is held{note}; let it go on with: lanes resume --all")
        return
    store = session.store
    known = store.client.sismember(store.key("locations"), location_id)
    session.log_change("hold", location_id, reason, who)
    store.hold(location_id, reason, by)
    refused = store.read_lanes([location_id])[0].unauthorized
    note = "" if known else " (it never had a job; mistyped?)"
    note += "" if refused is None else f", and by authorization: {printable(refused)}"
    say(f"{location_id} is held{note}; let it go on with: lanes resume {location_id}")
