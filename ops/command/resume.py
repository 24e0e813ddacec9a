"""`lanes resume`: let held lanes go on."""

from collections.abc import Sequence
from typing import Any

import click

from lanes.hold_filter import HoldFilter, count_causes
from lanes.lane import HoldCause
from lanes.printable import printable
from ops.command.dead_moves import ask
from ops.command.failure import Refused
from ops.command.resume_run import ResumeRun, holders
from ops.command.session import Session, connected
from ops.command.words import LocationId, PrintableWord, counted, examples, moment, print_json, say

MAX_LISTED = 20


@click.command(
    epilog=examples(
        "lanes resume ve9EPM428h8vShlRW1KT",
        "lanes resume --all",
        "lanes resume --held-by ada --dry-run",
        "lanes resume --held-by ada --reason 'wrong prices' --yes",
        "lanes resume --cause authorization --yes",
        "lanes resume --all-held --dry-run --json | jq -r '.[].location_id'",
    )
)
@click.argument("location_ids", metavar="LOCATION...", nargs=-1, type=LocationId())
@click.option("--all", "everything", is_flag=True, help="End the hold of everything; lanes held on their own stay so.")
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
@click.option("--dry-run", is_flag=True, help="Only list whose holds would end.")
@click.option("--yes", is_flag=True, help="Do not ask before lanes are resumed that were not named.")
@click.option("--json", "as_json", is_flag=True, help="Print the holds, and what became of each, as a JSON array.")
@connected
def resume(
    session: Session, location_ids: tuple[str, ...], *, everything: bool, all_held: bool, dry_run: bool, **given: Any
) -> None:
    """Let held lanes go on; what waited is sent from now on.

    --held-by, --cause and --reason choose among all lanes that are held on their own. Only the hold that was read ends:
    a lane that somebody holds again meanwhile stays held, and is named. A lane whose token was refused goes on by
    itself with a new token (lanes token set); resumed with the old one, it loses one more job to the dead letters.
    """
    wanted = HoldFilter(given["held_by"], frozenset(map(HoldCause, given["causes"])), given["reason"])
    bulk = all_held or wanted != HoldFilter()
    if [bool(location_ids), everything, bulk].count(True) != 1:
        message = "say which: LOCATION..., --all, or --all-held, which --held-by, --cause and --reason narrow"
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
            _list([f"{lane.location_id}: held since {moment(lane.held_at)} by {holders(lane)}" for lane in chosen])
            ask(f"resume {counted(len(chosen), 'lane')} held{wanted} ({count_causes(chosen)})?")
        run.resume(chosen)
        if not chosen:
            say(f"no lane is held{wanted}")
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
        say(f"... and {counted(len(lines) - MAX_LISTED, 'more lane')}; --all-held --dry-run lists all")


def _resume_all(session: Session, *, dry_run: bool, as_json: bool) -> None:
    """End the hold of everything, if it is the one that was read."""
    gate = session.store.gate()
    by = f"{printable(gate.held_by)}: {printable(gate.hold)}"
    if gate.hold is None:
        answer = "free"
    elif dry_run:
        answer = "held"
    else:
        session.note("resume", "everything")
        answer = session.store.resume_all(gate.held_at)
    if as_json:
        print_json([{"location_id": None, **(gate.hold_as_json() or {}), "answer": answer}])
    if answer == "changed":
        gate = session.store.gate()
        by = f"{printable(gate.held_by)}: {printable(gate.hold)}"
        message = f"left as it is: everything was held again meanwhile, by {by}"
        raise Refused(message)
    say(
        {
            "resumed": f"everything goes on (it was held by {by})",
            "held": f"would end the hold of everything (by {by}); nothing was changed",
        }.get(answer, "not everything was held")
    )
    held = [lane for lane in session.store.lanes() if lane.hold is not None]
    if held:
        own = f"{counted(len(held), 'lane')} held on {'its' if len(held) == 1 else 'their'} own"
        say(f"{own} ({count_causes(held)}): lanes resume --all-held")
    if gate.outage is not None:
        say("an outage goes on: see lanes status")
