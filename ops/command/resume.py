"""`lanes resume`: let lanes go on that are held or on the brake."""

from collections.abc import Sequence
from typing import Any

import click

from lanes.gate import Gate
from lanes.hold_filter import HoldFilter, count_causes
from lanes.lane import HoldCause
from lanes.printable import printable
from ops.command.dead_moves import ask
from ops.command.failure import Refused
from ops.command.resume_run import ResumeRun, holders, stopped
from ops.command.session import Session, connected
from ops.command.words import LocationId, PrintableWord, counted, examples, print_json, say

MAX_LISTED = 20


@click.command(
    epilog=examples(
        "lanes resume ve9EPM428h8vShlRW1KT",
        "lanes resume --all",
        "lanes resume --held-by ada --dry-run",
        "lanes resume --held-by ada --reason 'wrong prices' --yes",
        "lanes resume --cause authorization --yes",
        "lanes resume --brake --dry-run",
        "lanes resume --all-held --dry-run --json | jq -r '.[].location_id'",
    )
)
@click.argument("location_ids", metavar="LOCATION...", nargs=-1, type=LocationId())
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="End the hold of everything, or else the brake of all; no others.",
)
@click.option("--all-held", is_flag=True, help="Every lane that is held on its own, no matter who holds it.")
@click.option("--held-by", metavar="NAME", type=PrintableWord(), help="The lanes that this person holds.")
@click.option(
    "--cause",
    "causes",
    multiple=True,
    type=click.Choice([cause.value for cause in HoldCause]),
    help="The lanes held for this cause and no other; may be given twice.",
)
@click.option(
    "--reason", metavar="TEXT", type=PrintableWord(), help="The lanes with this text in the reason, in any case."
)
@click.option("--brake", is_flag=True, help="Every lane that is on the brake and not held.")
@click.option("--dry-run", is_flag=True, help="Only list which lanes would be resumed.")
@click.option("--yes", is_flag=True, help="Do not ask before lanes are resumed that were not named.")
@click.option("--json", "as_json", is_flag=True, help="Print the lanes, and what became of each, as a JSON array.")
@connected
def resume(
    session: Session, location_ids: tuple[str, ...], *, everything: bool, all_held: bool, dry_run: bool, **given: Any
) -> None:
    """Let held lanes go on; what waited is sent from now on. If a lane is on the brake and not held, end the brake.

    --held-by, --cause and --reason choose among all lanes that are held on their own, --brake among those that are on
    the brake and not held. Only the hold, or the brake, that was read ends: a lane that somebody holds again meanwhile
    stays held, and is named. A lane whose token was refused goes on by itself with a new token (lanes token set);
    resumed with the old one, it loses one more job to the dead letters. A brake that is ended while its cause is still
    there costs up to LANES_REFUSAL_BRAKE more dead letters. A lane that is held and on the brake stays on the brake:
    resume it once more to end that. --all ends the hold of everything first; run it again to end the brake of all.
    """
    wanted = HoldFilter(given["held_by"], frozenset(map(HoldCause, given["causes"])), given["reason"])
    if given["brake"]:
        if all_held or wanted != HoldFilter():
            message = "--brake is for lanes that are not held: leave out --all-held, --held-by, --cause and --reason"
            raise click.UsageError(message)
        wanted = HoldFilter(braked=True)
    bulk = all_held or wanted != HoldFilter()
    if [bool(location_ids), everything, bulk].count(True) != 1:
        message = "say which: LOCATION..., --all, --brake, or --all-held, which --held-by, --cause and --reason narrow"
        raise click.UsageError(message)
    if everything:
        _resume_all(session, dry_run=dry_run, as_json=given["as_json"])
        return
    run = ResumeRun(session, dry_run=dry_run, as_json=given["as_json"])
    lanes = session.store.lanes()
    if bulk:
        chosen = wanted.choose(lanes)
        _list([f"{lane.location_id}: left as it is: held by {holders(lane)}" for lane in lanes if wanted.spares(lane)])
        if chosen and not dry_run and not given["yes"]:
            _list([f"{lane.location_id}: {stopped(lane)}" for lane in chosen])
            causes = "" if wanted.braked else f" ({count_causes(chosen)})"
            ask(f"resume {counted(len(chosen), 'lane')} {wanted}{causes}?")
        run.resume(chosen)
        if not chosen:
            say(f"no lane is {wanted}")
    else:
        known = {lane.location_id: lane for lane in lanes}
        run.unknown = [name for name in location_ids if name not in known]
        run.resume([known[name] for name in location_ids if name in known])
    run.end()


def _list(lines: Sequence[str]) -> None:
    """Tell people the first of many lines, and how many more there are."""
    for line in lines[:MAX_LISTED]:
        say(line)
    if len(lines) > MAX_LISTED:
        say(f"... and {counted(len(lines) - MAX_LISTED, 'more lane')}; --dry-run lists all")


def _resume_all(session: Session, *, dry_run: bool, as_json: bool) -> None:
    """End the hold of everything, or else the brake of all, if it is the one that was read."""
    gate = session.store.gate()
    answer = _end_stop(session, gate, dry_run=dry_run)
    if as_json:
        brake = None if gate.brake is None else gate.brake.as_json()
        print_json([{"location_id": None, **(gate.hold_as_json() or {}), "brake": brake, "answer": answer}])
    if answer == "changed":
        now = session.store.gate()
        why = f"held again meanwhile, by {printable(now.held_by)}: {printable(now.hold)}"
        message = f"left as it is: everything was {why if now.hold is not None else 'put on the brake again meanwhile'}"
        raise Refused(message)
    by = f"{printable(gate.held_by)}: {printable(gate.hold)}"
    say(
        {
            "resumed": f"everything goes on (it was held by {by})",
            "ended": "all lanes go on; those on their own brake stay so",
            "held": f"would end the hold of everything (by {by}); nothing was changed",
            "braked": "would end the brake of all lanes; nothing was changed",
        }.get(answer, "nothing to end: neither a hold of everything nor a brake of all")
    )
    if answer == "resumed" and gate.brake is not None:
        say("all lanes are still on the brake; once more ends that: lanes resume --all")
    held = [lane for lane in session.store.lanes() if lane.hold is not None]
    if held:
        own = f"{counted(len(held), 'lane')} held on {'its' if len(held) == 1 else 'their'} own"
        say(f"{own} ({count_causes(held)}): lanes resume --all-held")
    if gate.outage is not None:
        say("an outage goes on: see lanes status")


def _end_stop(session: Session, gate: Gate, *, dry_run: bool) -> str:
    """End what stops all lanes: `resumed` or `ended`, `held` or `braked` in a dry run, `free`, or `changed`."""
    if gate.hold is not None:
        if dry_run:
            return "held"
        session.note("resume", "everything")
        return session.store.resume_all(gate.held_at)
    if gate.brake is None:
        return "free"
    if dry_run:
        return "braked"
    session.note("resume", "everything", "all lanes on the brake")
    return session.store.end_brake_of_all(gate.brake.since)
