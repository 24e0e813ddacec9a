"""`lanes resume`: let held lanes go on."""

import click

from lanes.lane import Lane
from lanes.printable import printable
from ops.command.failure import Refused
from ops.command.session import Session, connected
from ops.command.words import LocationId, counted, examples, say


@click.command(epilog=examples("lanes resume ve9EPM428h8vShlRW1KT", "lanes resume --all", "lanes resume --each"))
@click.argument("location_ids", metavar="LOCATION...", nargs=-1, type=LocationId())
@click.option("--all", "everything", is_flag=True, help="End the hold of everything; lanes held on their own stay so.")
@click.option("--each", is_flag=True, help="Every lane that is held on its own.")
@connected
def resume(session: Session, location_ids: tuple[str, ...], *, everything: bool, each: bool) -> None:
    """Let held lanes go on; what waited is sent from now on."""
    if [bool(location_ids), everything, each].count(True) != 1:
        message = "say which: LOCATION..., --all or --each"
        raise click.UsageError(message)
    lanes = {lane.location_id: lane for lane in session.store.lanes()}
    held = tuple(name for name, lane in lanes.items() if lane.hold is not None)
    if everything:
        _resume_all(session, held)
        return
    if each:
        location_ids = held
    resumed = unknown = 0
    for location_id in location_ids:
        if location_id in held:
            session.note("resume", location_id)
        if location_id not in lanes:
            say(f"{location_id}: no such lane; mistyped?")
            unknown += 1
        elif session.store.resume(location_id) == "resumed":
            resumed += 1
            session.so_far = f"{counted(resumed, 'lane')} resumed"
            say(f"{location_id} goes on{_was(lanes[location_id])}")
        else:
            say(f"{location_id} was not held")
    if unknown:
        message = f"{counted(unknown, 'location')} unknown"
        raise Refused(message)
    if not location_ids:
        say("no lane is held")


def _resume_all(session: Session, held: tuple[str, ...]) -> None:
    gate = session.store.gate()
    session.note("resume", "everything")
    if session.store.resume_all() == "resumed":
        say(f"everything goes on (it was held by {printable(gate.held_by)}: {printable(gate.hold)})")
    else:
        say("not everything was held")
    if held:
        say(f"{counted(len(held), 'lane')} held on {'its' if len(held) == 1 else 'their'} own: lanes resume --each")
    if gate.outage is not None:
        say("an outage goes on: see lanes status")


def _was(lane: Lane) -> str:
    return "" if lane.hold is None else f" (it was held by {printable(lane.held_by)}: {printable(lane.hold)})"
