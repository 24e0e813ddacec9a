"""`lanes forget`: removes lanes that are no longer needed, with all that is kept for their locations."""

from collections import Counter
from dataclasses import asdict, dataclass

import click

from lanes.dead_letters import operations
from lanes.dead_letters.filter import DeadLetterFilter, scan_summaries
from lanes.queue.forgetting import forget_done_jobs
from lanes.queue.lane import Lane
from lanes.storage.stored import text_of
from ops.command.console import NO_LANE, LocationId, examples, pluralize, print_json, say
from ops.command.dead_bulk import confirm
from ops.command.failures import Refused
from ops.command.progress import Steps
from ops.command.session import Session, by_option, connected

FORGOTTEN, EMPTIED, WOULD_FORGET = "forgotten", "emptied", "would_forget"
DONE = (FORGOTTEN, EMPTIED, WOULD_FORGET)


@dataclass(slots=True)
class ForgetResult:
    """What became of a lane.

    Attributes:
        kept_jobs: done jobs that were accepted a moment ago: a retried enqueue must find them.
        ends_in: seconds until an emptied lane ends, None if it is not known, or not emptied.
    """

    location_id: str
    answer: str
    dead_letters: int = 0
    done_jobs: int = 0
    kept_jobs: int = 0
    ends_in: float | None = None


@click.command(
    epilog=examples(
        "lanes forget ve9EPM428h8vShlRW1KT --dry-run",
        "lanes forget ve9EPM428h8vShlRW1KT --yes",
        "lanes token remove ve9EPM428h8vShlRW1KT     # a stored token stays until then",
    )
)
@click.argument("location_ids", metavar="LOCATION...", nargs=-1, required=True, type=LocationId())
@click.option("--dry-run", is_flag=True, help="Show what would be done and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@by_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@connected
def forget(
    session: Session,
    location_ids: tuple[str, ...],
    by: str | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove lanes with their holds, brakes and limits, their dead letters, and the history of their done jobs.

    A lane with pending jobs or jobs in flight is refused. A lane that sent a request in the last day is emptied, and
    ends when that day is over, because its daily quota must hold. Totals stay. It asks first and names the number of
    dead letters; without a terminal, add --yes.
    """
    lanes = {lane.location_id: lane for lane in session.store.lanes(location_ids)}
    results = [_check(name, lanes.get(name)) for name in dict.fromkeys(location_ids)]
    chosen = [result for result in results if result.answer == WOULD_FORGET]
    if chosen and not dry_run:
        dead_letters = sum(result.dead_letters for result in chosen)
        question = f"forget {pluralize(len(chosen), 'lane')}" + (
            f" and purge {pluralize(dead_letters, 'dead letter')}" if dead_letters else ""
        )
        if not yes:
            confirm(f"{question}?")
        _forget(session, chosen, by)
    if as_json:
        print_json([asdict(result) for result in results])
    for result in results:
        say(f"{result.location_id}: {_text(result)}")
    if any(result.answer not in DONE for result in results):
        raise click.exceptions.Exit(Refused.exit_code)


def _check(location_id: str, lane: Lane | None) -> ForgetResult:
    """Return what forgetting a lane would come to."""
    if lane is None:
        return ForgetResult(location_id, "unknown")
    dead_letters = lane.counts["dead"] + lane.counts["expired"]
    answer = WOULD_FORGET
    if lane.counts["pending"]:
        answer = "waiting"
    elif lane.counts["in_flight"]:
        answer = "in_flight"
    return ForgetResult(location_id, answer, dead_letters)


def _forget(session: Session, chosen: list[ForgetResult], by: str | None) -> None:
    store, names = session.store, [result.location_id for result in chosen]
    with Steps("forget", len(chosen)) as progress:
        for result in chosen:
            detail = f"with {pluralize(result.dead_letters, 'dead letter')}" if result.dead_letters else ""
            session.log_change("forget", result.location_id, detail, by)
            result.dead_letters = _purge(session, result.location_id) if result.dead_letters else 0
        kept_until = {name: text_of(store.read_hash("lane", name).get(b"kept_until", b"")) for name in names}
        removed, young = Counter[str](), Counter[str]()
        for locations, kept in forget_done_jobs(store, names, session.settings.enqueue_timeout_seconds):
            removed.update(locations)
            young.update(kept)
            progress.update(0, f"remove done jobs: {removed.total()}")
        for number, result in enumerate(chosen, 1):
            result.done_jobs, result.kept_jobs = removed[result.location_id], young[result.location_id]
            seen = "" if result.kept_jobs else kept_until[result.location_id]
            result.answer, result.ends_in = store.forget_lane(result.location_id, seen)
            session.so_far = f"forgot {number} of {pluralize(len(chosen), 'lane')}"
            progress.update(number, "forget")


def _purge(session: Session, location_id: str) -> int:
    store, dead_letter_filter = session.store, DeadLetterFilter(location_id=location_id)
    purged = 0
    for batch in scan_summaries(store, dead_letter_filter, dead_letter_filter.time_range(store)):
        ids = [summary.id for summary in batch]
        for result in operations.purge(store, ids, session.settings.retention_seconds):
            purged += result.answer == "purged"
        session.so_far = f"purged {pluralize(purged, 'dead letter')} of {location_id}"
    return purged


def _text(result: ForgetResult) -> str:
    """Return what became of a lane, or why it was refused and what to do."""
    dead_letters = pluralize(result.dead_letters, "dead letter")
    if result.answer == WOULD_FORGET:
        return f"would be forgotten, and {dead_letters} purged" if result.dead_letters else "would be forgotten"
    if result.answer in (FORGOTTEN, EMPTIED):
        removed = f"{dead_letters} purged, {pluralize(result.done_jobs, 'done job')} removed"
        if result.kept_jobs:
            removed += f", {result.kept_jobs} kept: accepted a moment ago, and a retried enqueue must find them"
        if result.answer == FORGOTTEN:
            return f"forgotten; {removed}"
        when = (
            "when its day is over"
            if result.ends_in is None
            else f"in {result.ends_in / 3600:.0f} h, when its day is over"
        )
        return f"emptied; {removed}; a worker ends the lane {when}"
    return {
        "unknown": NO_LANE,
        "waiting": "not forgotten: jobs are pending; let them be delivered, or cancel them: lanes cancel ID...",
        "in_flight": "not forgotten: jobs are in flight; try again when they have ended",
        "dead_letters": "not forgotten: a job became a dead letter meanwhile; try again",
    }[result.answer]
