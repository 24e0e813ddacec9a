"""Replay and purge of many dead letters in batches, with progress."""

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
    """Which dead letters (ids, or everything that matches the filter), and whether to ask first or only to show."""

    job_ids: tuple[str, ...]
    everything: bool
    dead_letter_filter: DeadLetterFilter
    yes: bool
    dry_run: bool

    def check(self) -> None:
        """Refuse ids together with --all or filters, and neither of them."""
        if bool(self.job_ids) == self.everything or (self.job_ids and self.dead_letter_filter != DeadLetterFilter()):
            raise click.UsageError("say which: ID..., or --all, which --location, --reason and other filters narrow")

    def in_batches(self, store: LaneStore, time_range: TimeRange) -> Iterator[list[str]]:
        """Yield the ids."""
        if self.job_ids:
            yield from batched(dict.fromkeys(self.job_ids), STEP)
            return
        for batch in scan_summaries(store, self.dead_letter_filter, time_range):
            yield [summary.id for summary in batch]

    def count(self, store: LaneStore, time_range: TimeRange) -> int:
        """Return the number of dead letters."""
        return len(set(self.job_ids)) if self.job_ids else count_matching(store, self.dead_letter_filter, time_range)

    def count_unconfirmed(self, store: LaneStore, time_range: TimeRange) -> int:
        """Return how many of the matching ones the API may have already."""
        if self.job_ids or self.dead_letter_filter.reason not in (None, Reason.UNCONFIRMED):
            return 0
        return count_matching(store, replace(self.dead_letter_filter, reason=Reason.UNCONFIRMED.value), time_range)


def run_bulk(session: Session, action: BulkAction, request: BulkRequest, *, confirm_ids: bool) -> None:
    """Replay or purge; a dry run only shows what would be done.

    `confirm_ids`: ask first even if the dead letters were named by id.
    """
    request.check()
    store, dry_run = session.store, request.dry_run
    time_range = request.dead_letter_filter.time_range(store)
    total = request.count(store, time_range)
    selection = f"{pluralize(total, 'dead letter')}{request.dead_letter_filter}"
    if not dry_run and total and not request.yes and (not request.job_ids or confirm_ids):
        unconfirmed = request.count_unconfirmed(store, time_range) if action.verb == "replay" else 0
        warning = f" {bulk.unconfirmed_warning(unconfirmed)}." if unconfirmed else ""
        confirm(f"{action.verb} {selection}?{warning}")
    if not dry_run and total:
        session.log_change(action.verb, request.job_ids[0] if total == 1 and request.job_ids else selection)
    call = action.dry_run if dry_run else action.call
    done = unconfirmed = 0
    with Steps(action.verb, total) as progress:
        for ids in request.in_batches(store, time_range):
            for result in call(store, ids) if ids else ():
                if result.answer != action.done:
                    progress.reject(f"{result.job_id}: {why_not(result)}")
                    continue
                done += 1
                unconfirmed += result.unconfirmed
                if dry_run:
                    click.echo(result.job_id)
            if not dry_run:
                session.so_far = f"{action.done} {done} of {pluralize(total, 'dead letter')}"
            progress.update(done + progress.rejected)
    found = pluralize(done, "dead letter")
    say(f"would {action.verb} {found}; nothing was changed" if dry_run else f"{action.done} {found}")
    if unconfirmed:
        say(bulk.unconfirmed_warning(unconfirmed))
    if progress.rejected:
        raise click.exceptions.Exit(Refused.exit_code)


def confirm(question: str, instead: str = "add --yes, or look first with --dry-run") -> None:
    """Ask on the terminal. Without a terminal, --yes is required."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is no terminal to ask on: {instead}")
    if not click.confirm(question, err=True):
        raise Refused("nothing was changed")


def why_not(result: ActionResult) -> str:
    """Return why the action was refused for a dead letter, with the next step."""
    return bulk.why_not(result) + ("; --force replays it anyway" if result.answer == "superseded" else "")
