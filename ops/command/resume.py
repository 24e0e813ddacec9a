"""`lanes resume`: ends holds and brakes."""

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
from ops.command.session import Session, by_option, connected

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
@click.option("--all", "everything", is_flag=True, help="End the global hold, or else the global brake; nothing else.")
@click.option("--all-held", is_flag=True, help="Every lane with its own hold.")
@click.option("--held-by", metavar="NAME", type=PrintableWord(), help="Lanes that this person holds.")
@click.option(
    "--cause",
    "causes",
    multiple=True,
    type=click.Choice([cause.value for cause in HoldCause]),
    help="Lanes held for this cause only. Can be repeated.",
)
@click.option("--reason", metavar="TEXT", type=PrintableWord(), help="Lanes whose reason contains this text.")
@click.option("--brake", is_flag=True, help="Every lane that is on the brake and not held.")
@click.option("--dry-run", is_flag=True, help="Only list the lanes that would be resumed.")
@by_option
@click.option("--yes", is_flag=True, help="Do not ask before resuming lanes that you did not name.")
@click.option("--json", "as_json", is_flag=True, help="Print the lanes and the result for each as a JSON array.")
@connected
def resume(
    session: Session, location_ids: tuple[str, ...], *, everything: bool, all_held: bool, dry_run: bool, **given: Any
) -> None:
    """End the hold of lanes; their jobs are sent from now on. If a lane is on the brake and not held, end its brake.

    A new token (lanes token set) resumes a lane whose token was refused. If you resume it with the old token, it gets
    one more dead letter and is held again. Ending a brake before its cause is fixed costs up to LANES_REFUSAL_BRAKE
    more dead letters.

    A lane that is held and on the brake stays on the brake: resume it twice. The same goes for --all. A lane that
    another person holds again meanwhile stays held and is listed.
    """
    hold_filter = HoldFilter(given["held_by"], frozenset(map(HoldCause, given["causes"])), given["reason"])
    if given["brake"]:
        if all_held or hold_filter != HoldFilter():
            raise click.UsageError("--brake cannot be combined with --all-held, --held-by, --cause or --reason")
        hold_filter = HoldFilter(braked=True)
    bulk = all_held or hold_filter != HoldFilter()
    if [bool(location_ids), everything, bulk].count(True) != 1:
        filters = "some of --held-by, --cause and --reason"
        raise click.UsageError(f"say which: LOCATION..., --all, --brake, --all-held, or {filters}")
    if everything:
        _resume_all(session, given["by"], dry_run=dry_run, as_json=given["as_json"])
        return
    run = ResumeRun(session, given["by"], dry_run=dry_run, as_json=given["as_json"])
    lanes = session.store.lanes()
    if bulk:
        chosen = hold_filter.choose(lanes)
        skipped = filter(hold_filter.skips, lanes)
        _list([f"{lane.location_id}: left unchanged: held by {holder_text(lane)}" for lane in skipped])
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
    """Print the first lines, and how many more there are."""
    for line in lines[:MAX_LISTED]:
        say(line)
    if len(lines) > MAX_LISTED:
        say(f"... and {pluralize(len(lines) - MAX_LISTED, 'more lane')}; --dry-run lists all")


def _resume_all(session: Session, by: str | None, *, dry_run: bool, as_json: bool) -> None:
    """End the global hold, or else the global brake, unless it was replaced since it was read."""
    global_state = session.store.global_state()
    answer = _end_stop(session, global_state, by, dry_run=dry_run)
    if as_json:
        brake = None if global_state.brake is None else global_state.brake.as_json()
        print_json([{"location_id": None, **(global_state.hold_as_json() or {}), "brake": brake, "answer": answer}])
    if answer == "changed":
        now = session.store.global_state()
        held = f"held again meanwhile, by {printable(now.held_by)}: {printable(now.hold)}"
        raise Refused(f"left unchanged: all lanes were {'braked again meanwhile' if now.hold is None else held}")
    hold = f"{printable(global_state.held_by)}: {printable(global_state.hold)}"
    say(
        {
            "resumed": f"all lanes resumed (held until now by {hold})",
            "ended": "the brake of all lanes ended; lanes with their own brake stay on it",
            "held": f"would end the hold of all lanes (by {hold}); nothing was changed",
            "braked": "would end the brake of all lanes; nothing was changed",
        }.get(answer, "nothing to end: there is no hold and no brake of all lanes")
    )
    if answer == "resumed" and global_state.brake is not None:
        say("all lanes are still on the brake; to end that, run again: lanes resume --all")
    if held_lanes := [lane for lane in session.store.lanes() if lane.hold is not None]:
        own = f"{pluralize(len(held_lanes), 'lane')} still held ({count_causes(held_lanes)})"
        say(f"{own}; resume with: lanes resume --all-held")
    if global_state.outage is not None:
        say("the outage continues: see lanes status")


def _end_stop(session: Session, global_state: GlobalState, by: str | None, *, dry_run: bool) -> str:
    """End what stops all lanes. Returns resumed, ended, free or changed; in a dry run held, braked or free."""
    if global_state.hold is not None:
        if dry_run:
            return "held"
        session.log_change("resume", "everything", f"was held by {global_state.held_by}", by)
        return session.store.resume_all(global_state.held_at)
    if global_state.brake is None:
        return "free"
    if dry_run:
        return "braked"
    session.log_change("resume", "everything", "all lanes on the brake", by)
    return session.store.end_brake_of_all(global_state.brake.since)
