"""`lanes hold`: holds a lane, or all lanes."""

import click

from lanes.printable import printable
from ops.command.console import LocationId, PrintableWord, examples, say
from ops.command.session import Session, by_option, connected

HELD_BY = "operator"


@click.command(
    epilog=examples(
        "lanes hold ve9EPM428h8vShlRW1KT --reason 'wrong pipeline, asked the customer' --by ada",
        "lanes resume ve9EPM428h8vShlRW1KT",
        "lanes hold --all --reason 'wrong prices since noon'",
        "lanes resume --all",
    )
)
@click.argument("location_id", metavar="[LOCATION]", required=False, type=LocationId())
@click.option("--all", "everything", is_flag=True, help="All lanes, future ones too.")
@click.option("--reason", required=True, type=PrintableWord(), help="Why; shown with the lane.")
@by_option
@connected
def hold(session: Session, location_id: str | None, reason: str, by: str | None, *, everything: bool) -> None:
    """Hold the lane of a location, or all lanes. New jobs are accepted and wait; jobs in flight finish.

    A lane whose token was refused is then held for two causes: a new token ends that one, lanes resume ends both.

    The expiry time of a job moves by the time that it was held, unless it was enqueued with expires_while_held.
    """
    if everything == (location_id is not None):
        raise click.UsageError("say which: LOCATION or --all")
    holder = by or HELD_BY
    if location_id is None:
        before = session.store.global_state()
        session.log_change("hold", "everything", reason, by)
        session.store.hold_all(reason, holder)
        note = f" (until now by {printable(before.held_by)}: {printable(before.hold)})" if before.hold else ""
        say(f"all lanes are held{note}; resume them with: lanes resume --all")
        return
    store = session.store
    known = store.is_location(location_id)
    session.log_change("hold", location_id, reason, by)
    store.hold(location_id, reason, holder)
    refused = store.read_lanes([location_id])[0].unauthorized
    note = "" if known else " (it had no lane; mistyped?)"
    note += "" if refused is None else f", and by authorization: {printable(refused)}"
    say(f"{location_id} is held{note}; resume it with: lanes resume {location_id}")
