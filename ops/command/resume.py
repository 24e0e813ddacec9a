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
    """Let held lanes go on; what waited is sent from now on. Of a lane that is not held, end the brake.

    A lane that is held and on the brake stays on the brake: resumed once more, that ends, too. So does --all.
    """
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
        lane = lanes.get(location_id)
        if lane is None:
            say(f"{location_id}: no such lane; mistyped?")
            unknown += 1
        elif _end_brake(session, lane) if lane.hold is None and lane.brake else _end_hold(session, lane):
            resumed += 1
            session.so_far = f"{counted(resumed, 'lane')} resumed"
    if unknown:
        message = f"{counted(unknown, 'location')} unknown"
        raise Refused(message)
    if not location_ids:
        say("no lane is held")


def _end_hold(session: Session, lane: Lane) -> bool:
    if lane.hold is not None:
        session.note("resume", lane.location_id)
    if session.store.resume(lane.location_id) != "resumed":
        say(f"{lane.location_id} was not held")
        return False
    say(f"{lane.location_id} goes on{_was(lane)}")
    if lane.brake is not None:
        say(f"{lane.location_id} is still on the brake; once more ends that: lanes resume {lane.location_id}")
    return True


def _end_brake(session: Session, lane: Lane) -> bool:
    location_id, brake = lane.location_id, lane.brake
    if brake is None:
        return False
    why = f"{counted(brake.refusals, 'refusal')} in a row, the last with status {brake.status}"
    session.note("resume", location_id, f"on the brake after {why}")
    answer = session.store.end_brake(location_id, brake.since)
    said = {
        "ended": f"{location_id} goes on (it was on the brake after {why})",
        "free": f"{location_id} is not on the brake any more",
        "changed": f"{location_id} is on the brake anew since it was looked at: see lanes status, and resume it again",
    }
    say(said[answer])
    return answer == "ended"


def _resume_all(session: Session, held: tuple[str, ...]) -> None:
    gate = session.store.gate()
    session.note("resume", "everything")
    if session.store.resume_all() == "resumed":
        say(f"everything goes on (it was held by {printable(gate.held_by)}: {printable(gate.hold)})")
        if gate.brake is not None:
            say("all lanes are still on the brake; once more ends that: lanes resume --all")
    elif gate.brake is not None:
        ended = session.store.end_brake_of_all(gate.brake.since) == "ended"
        say("all lanes go on; those on their own brake stay so" if ended else "meanwhile it changed; see lanes status")
    else:
        say("not everything was held")
    if held:
        say(f"{counted(len(held), 'lane')} held on {'its' if len(held) == 1 else 'their'} own: lanes resume --each")
    if gate.outage is not None:
        say("an outage goes on: see lanes status")


def _was(lane: Lane) -> str:
    return "" if lane.hold is None else f" (it was held by {printable(lane.held_by)}: {printable(lane.hold)})"
