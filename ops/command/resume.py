"""`lanes resume`: let lanes go on that are held or on the brake."""

from collections.abc import Sequence
from typing import Any

import click

from lanes.printable import printable
from lanes.queue.global_state import GlobalState
from lanes.queue.hold_filter import HoldFilter, count_causes
from lanes.queue.lane import HoldCause
from ops.command.console import LocationId, PrintableWord, examples, pluralize, print_json, say
from ops.command.dead_bulk import confirm
from ops.command.failures import Refused
from ops.command.resume_run import ResumeRun, holder_text, stop_text
from ops.command.session import Session, connected

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
    hold_filter = HoldFilter(given["held_by"], frozenset(map(HoldCause, given["causes"])), given["reason"])
    if given["brake"]:
        if all_held or hold_filter != HoldFilter():
            raise click.UsageError(
                "--brake is for lanes that are not held: leave out --all-held, --held-by, --cause and --reason"
            )
        hold_filter = HoldFilter(braked=True)
    bulk = all_held or hold_filter != HoldFilter()
    if [bool(location_ids), everything, bulk].count(True) != 1:
        raise click.UsageError(
            "say which: LOCATION..., --all, --brake, or --all-held, which --held-by, --cause and --reason narrow"
        )
    if everything:
        _resume_all(session, dry_run=dry_run, as_json=given["as_json"])
        return
    run = ResumeRun(session, dry_run=dry_run, as_json=given["as_json"])
    lanes = session.store.lanes()
    if bulk:
        chosen = hold_filter.choose(lanes)
        _list(
            [
                f"{lane.location_id}: left as it is: held by {holder_text(lane)}"
                for lane in lanes
                if hold_filter.skips(lane)
            ]
        )
        if chosen and not dry_run and not given["yes"]:
            _list([f"{lane.location_id}: {stop_text(lane)}" for lane in chosen])
            causes = "" if hold_filter.braked else f" ({count_causes(chosen)})"
            confirm(f"resume {pluralize(len(chosen), 'lane')} {hold_filter}{causes}?")
        run.resume(chosen)
        if not chosen:
            say(f"no lane is {hold_filter}")
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
        say(f"... and {pluralize(len(lines) - MAX_LISTED, 'more lane')}; --dry-run lists all")


def _resume_all(session: Session, *, dry_run: bool, as_json: bool) -> None:
    """End the hold of everything, or else the brake of all, if it is the one that was read."""
    global_state = session.store.global_state()
    answer = _end_stop(session, global_state, dry_run=dry_run)
    if as_json:
        brake = None if global_state.brake is None else global_state.brake.as_json()
        print_json([{"location_id": None, **(global_state.hold_as_json() or {}), "brake": brake, "answer": answer}])
    if answer == "changed":
        now = session.store.global_state()
        why = f"held again meanwhile, by {printable(now.held_by)}: {printable(now.hold)}"
        raise Refused(
            f"left as it is: everything was {why if now.hold is not None else 'put on the brake again meanwhile'}"
        )
    by = f"{printable(global_state.held_by)}: {printable(global_state.hold)}"
    say(
        {
            "resumed": f"everything goes on (it was held by {by})",
            "ended": "all lanes go on; those on their own brake stay so",
            "held": f"would end the hold of everything (by {by}); nothing was changed",
            "braked": "would end the brake of all lanes; nothing was changed",
        }.get(answer, "nothing to end: neither a hold of everything nor a brake of all")
    )
    if answer == "resumed" and global_state.brake is not None:
        say("all lanes are still on the brake; once more ends that: lanes resume --all")
    held = [lane for lane in session.store.lanes() if lane.hold is not None]
    if held:
        own = f"{pluralize(len(held), 'lane')} held on {'its' if len(held) == 1 else 'their'} own"
        say(f"{own} ({count_causes(held)}): lanes resume --all-held")
    if global_state.outage is not None:
        say("an outage goes on: see lanes status")


def _end_stop(session: Session, global_state: GlobalState, *, dry_run: bool) -> str:
    """End what stops all lanes: `resumed` or `ended`, `held` or `braked` in a dry run, `free`, or `changed`."""
    if global_state.hold is not None:
        if dry_run:
            return "held"
        session.log_change("resume", "everything")
        return session.store.resume_all(global_state.held_at)
    if global_state.brake is None:
        return "free"
    if dry_run:
        return "braked"
    session.log_change("resume", "everything", "all lanes on the brake")
    return session.store.end_brake_of_all(global_state.brake.since)
