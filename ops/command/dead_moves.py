"""Replay and purge: many dead letters in batches, with progress, and never more than was asked for."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import click

from lanes import letter_moves
from lanes.job import Reason
from lanes.letter import Moved
from lanes.letter_choice import Choice, count_chosen, look_through
from lanes.letter_moves import Move
from lanes.letters import STEP, Span
from lanes.store import LaneStore
from ops.command.failure import Refused
from ops.command.progress import Steps
from ops.command.session import Session
from ops.command.words import counted, say
from producers.intake import batches


@dataclass(frozen=True, slots=True)
class Wish:
    """Which letters: the ids given, or all of a choice; and whether to ask or only to tell."""

    job_ids: tuple[str, ...]
    everything: bool
    choice: Choice
    yes: bool
    dry_run: bool

    def check(self) -> None:
        """Refuse what nobody can mean."""
        if bool(self.job_ids) == self.everything or (self.job_ids and self.choice != Choice()):
            message = "say which: ID..., or --all, which --location, --reason and other filters narrow"
            raise click.UsageError(message)

    def in_batches(self, store: LaneStore, span: Span) -> Iterator[list[str]]:
        """Go through the ids."""
        if self.job_ids:
            yield from batches(dict.fromkeys(self.job_ids), STEP)
            return
        for batch in look_through(store, self.choice, span):
            yield [letter.id for letter in batch]

    def count(self, store: LaneStore, span: Span) -> int:
        """Return how many they are."""
        return len(set(self.job_ids)) if self.job_ids else count_chosen(store, self.choice, span)

    def count_unconfirmed(self, store: LaneStore, span: Span) -> int:
        """Return how many of a choice the API may have already."""
        if self.job_ids or self.choice.reason not in (None, Reason.UNCONFIRMED):
            return 0
        return count_chosen(store, replace(self.choice, reason=Reason.UNCONFIRMED.value), span)


def carry_out(session: Session, move: Move, wish: Wish, *, asks_for_ids: bool) -> None:
    """Do it to the ids given, or to all of a choice; or only tell what it would do.

    `asks_for_ids`: whether it asks first even where the letters were named one by one.
    """
    wish.check()
    span = wish.choice.span(session.store)
    total = wish.count(session.store, span)
    if not wish.dry_run and total and not wish.yes and (not wish.job_ids or asks_for_ids):
        ask(question(session.store, move, wish, span, total))
    call = move.rehearse if wish.dry_run else move.call
    if not wish.dry_run and total:
        session.note(
            move.verb,
            wish.job_ids[0] if total == 1 and wish.job_ids else f"{counted(total, 'dead letter')}{wish.choice}",
        )
    done = refused = unconfirmed = 0
    with Steps(move.verb, total) as progress:
        for ids in wish.in_batches(session.store, span):
            for moved in call(session.store, ids) if ids else ():
                if moved.answer != move.done:
                    refused += 1
                    progress.say(f"{moved.job_id}: {why_not(moved)}")
                    continue
                done += 1
                unconfirmed += moved.unconfirmed
                if wish.dry_run:
                    click.echo(moved.job_id)
            if not wish.dry_run:
                session.so_far = f"{move.done} {done} of {counted(total, 'dead letter')}"
            progress.reach(done + refused)
    tell(move, wish, done, unconfirmed)
    if refused:
        raise click.exceptions.Exit(Refused.exit_code)


def tell(move: Move, wish: Wish, done: int, unconfirmed: int) -> None:
    """Say what was done, or would be."""
    if wish.dry_run:
        say(f"would {move.verb} {counted(done, 'dead letter')}; nothing was changed")
    else:
        say(f"{move.done} {counted(done, 'dead letter')}")
    if unconfirmed:
        say(letter_moves.unconfirmed_warning(unconfirmed))


def question(store: LaneStore, move: Move, wish: Wish, span: Span, total: int) -> str:
    """Return the question that is asked first, with a warning where the API may have some of them."""
    warning = letter_moves.unconfirmed_warning(wish.count_unconfirmed(store, span)) if move.verb == "replay" else ""
    return f"{move.verb} {counted(total, 'dead letter')}{wish.choice}?" + (f" {warning}." if warning else "")


def ask(question: str) -> None:
    """Ask on the terminal; where there is none, the command is wrong without --yes."""
    if not sys.stdin.isatty():
        message = f"{question} There is no terminal to ask on: add --yes, or look first with --dry-run"
        raise click.UsageError(message)
    if not click.confirm(question, err=True):
        message = "nothing was changed"
        raise Refused(message)


def why_not(moved: Moved) -> str:
    """Say why a letter was not moved, and what can be done about it."""
    anyhow = "; --even-if-newer replays it anyhow" if moved.answer == "overtaken" else ""
    return f"{letter_moves.why_not(moved)}{anyhow}"
