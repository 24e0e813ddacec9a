"""Replay and purge: many dead letters in batches, with progress, and never more than was asked for."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import click

from lanes.dead_letters import bulk
from lanes.dead_letters.bulk import BulkAction
from lanes.dead_letters.filter import DeadLetterFilter, count_matching, scan_summaries
from lanes.dead_letters.operations import STEP, TimeRange
from lanes.queue.dead_letter import ActionResult
from lanes.queue.job import Reason
from lanes.queue.store import LaneStore
from ops.command.console import pluralize, say
from ops.command.failures import Refused
from ops.command.progress import Steps
from ops.command.session import Session
from producers.batching import batched


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """Which letters: the ids given, or all of a choice; and whether to ask or only to tell."""

    job_ids: tuple[str, ...]
    everything: bool
    dead_letter_filter: DeadLetterFilter
    yes: bool
    dry_run: bool

    def check(self) -> None:
        """Refuse what nobody can mean."""
        if bool(self.job_ids) == self.everything or (self.job_ids and self.dead_letter_filter != DeadLetterFilter()):
            raise click.UsageError("say which: ID..., or --all, which --location, --reason and other filters narrow")

    def in_batches(self, store: LaneStore, time_range: TimeRange) -> Iterator[list[str]]:
        """Go through the ids."""
        if self.job_ids:
            yield from batched(dict.fromkeys(self.job_ids), STEP)
            return
        for batch in scan_summaries(store, self.dead_letter_filter, time_range):
            yield [letter.id for letter in batch]

    def count(self, store: LaneStore, time_range: TimeRange) -> int:
        """Return how many they are."""
        return len(set(self.job_ids)) if self.job_ids else count_matching(store, self.dead_letter_filter, time_range)

    def count_unconfirmed(self, store: LaneStore, time_range: TimeRange) -> int:
        """Return how many of a choice the API may have already."""
        if self.job_ids or self.dead_letter_filter.reason not in (None, Reason.UNCONFIRMED):
            return 0
        return count_matching(store, replace(self.dead_letter_filter, reason=Reason.UNCONFIRMED.value), time_range)


def run_bulk(session: Session, move: BulkAction, request: BulkRequest, *, confirm_ids: bool) -> None:
    """Do it to the ids given, or to all of a choice; or only tell what it would do.

    `confirm_ids`: whether it asks first even where the letters were named one by one.
    """
    request.check()
    time_range = request.dead_letter_filter.time_range(session.store)
    total = request.count(session.store, time_range)
    if not request.dry_run and total and not request.yes and (not request.job_ids or confirm_ids):
        confirm(question(session.store, move, request, time_range, total))
    call = move.dry_run if request.dry_run else move.call
    if not request.dry_run and total:
        session.log_change(
            move.verb,
            request.job_ids[0]
            if total == 1 and request.job_ids
            else f"{pluralize(total, 'dead letter')}{request.dead_letter_filter}",
        )
    done = unconfirmed = 0
    with Steps(move.verb, total) as progress:
        for ids in request.in_batches(session.store, time_range):
            for moved in call(session.store, ids) if ids else ():
                if moved.answer != move.done:
                    progress.reject(f"{moved.job_id}: {why_not(moved)}")
                    continue
                done += 1
                unconfirmed += moved.unconfirmed
                if request.dry_run:
                    click.echo(moved.job_id)
            if not request.dry_run:
                session.so_far = f"{move.done} {done} of {pluralize(total, 'dead letter')}"
            progress.update(done + progress.rejected)
    report_result(move, request, done, unconfirmed)
    if progress.rejected:
        raise click.exceptions.Exit(Refused.exit_code)


def report_result(move: BulkAction, request: BulkRequest, done: int, unconfirmed: int) -> None:
    """Say what was done, or would be."""
    if request.dry_run:
        say(f"would {move.verb} {pluralize(done, 'dead letter')}; nothing was changed")
    else:
        say(f"{move.done} {pluralize(done, 'dead letter')}")
    if unconfirmed:
        say(bulk.unconfirmed_warning(unconfirmed))


def question(store: LaneStore, move: BulkAction, request: BulkRequest, time_range: TimeRange, total: int) -> str:
    """Return the question that is asked first, with a warning where the API may have some of them."""
    warning = bulk.unconfirmed_warning(request.count_unconfirmed(store, time_range)) if move.verb == "replay" else ""
    return f"{move.verb} {pluralize(total, 'dead letter')}{request.dead_letter_filter}?" + (
        f" {warning}." if warning else ""
    )


def confirm(question: str, instead: str = "add --yes, or look first with --dry-run") -> None:
    """Ask on the terminal; where there is none, the command is wrong without --yes."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask on: {instead}")
    if not click.confirm(question, err=True):
        raise Refused("nothing was changed")


def why_not(moved: ActionResult) -> str:
    """Say why a letter was not moved, and what can be done about it."""
    anyhow = "; --force replays it anyway" if moved.answer == "superseded" else ""
    return f"{bulk.why_not(moved)}{anyhow}"
