"""Replay and purge: many dead letters, one by one, with progress, and never more than was asked for."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from lanes.store import LaneStore
from ops.command.dead_letters import Choice, choose, ids_of
from ops.command.failure import Refused
from ops.command.progress import Steps
from ops.command.session import Session
from ops.command.words import counted, say


@dataclass(frozen=True, slots=True)
class Move:
    """What to do with each: its verb, what the lanes answer when it was done, and the call."""

    verb: str
    done: str
    call: Callable[[LaneStore, str], str]
    asks_for_ids: bool


def carry_out(session: Session, move: Move, given: Mapping[str, Any]) -> None:
    """Do it to the ids given, or to all of a choice."""
    job_ids: tuple[str, ...] = given["job_ids"]
    choice = Choice(given["location"], given["reason"])
    _check(job_ids, choice, everything=given["everything"])
    chosen = list(dict.fromkeys(job_ids)) if job_ids else ids_of(choose(session.store, choice))
    if given["dry_run"]:
        _rehearse(session, chosen, move)
        return
    if chosen and not given["yes"] and (not job_ids or move.asks_for_ids):
        _ask(f"{move.verb} {counted(len(chosen), 'dead letter')}{choice}?")
    refused = _move(session, chosen, move)
    for job_id, answer in refused.items():
        say(f"{job_id}: {_why_not(answer)}")
    say(f"{move.done} {counted(len(chosen) - len(refused), 'dead letter')}")
    if refused:
        raise click.exceptions.Exit(Refused.exit_code)


def _check(job_ids: tuple[str, ...], choice: Choice, *, everything: bool) -> None:
    if bool(job_ids) == everything or (job_ids and choice != Choice()):
        message = "say which: ID..., or --all, which --location and --reason narrow"
        raise click.UsageError(message)


def _rehearse(session: Session, chosen: list[str], move: Move) -> None:
    jobs = dict(zip(chosen, session.store.jobs(chosen), strict=True)) if chosen else {}
    good = [job_id for job_id, job in jobs.items() if Choice().takes(job)]
    for job_id in good:
        click.echo(job_id)
    say(f"would {move.verb} {counted(len(good), 'dead letter')}; nothing was changed")
    for job_id, job in jobs.items():
        if job_id not in good:
            say(f"{job_id}: {_why_not('unknown' if job is None else job.state.value)}")
    if len(good) < len(chosen):
        raise click.exceptions.Exit(Refused.exit_code)


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        message = f"{question} There is no terminal to ask on: add --yes, or look first with --dry-run"
        raise click.UsageError(message)
    if not click.confirm(question, err=True):
        message = "nothing was changed"
        raise Refused(message)


def _move(session: Session, chosen: list[str], move: Move) -> dict[str, str]:
    """Return those that were not moved, with the answer."""
    refused: dict[str, str] = {}
    with Steps(move.verb, len(chosen)) as progress:
        for number, job_id in enumerate(chosen, 1):
            answer = move.call(session.store, job_id)
            if answer != move.done:
                refused[job_id] = answer
            session.so_far = f"{move.done} {number - len(refused)} of {counted(len(chosen), 'dead letter')}"
            progress.reach(number)
    return refused


def _why_not(answer: str) -> str:
    if answer == "unknown":
        return "no such job: mistyped, or done so long ago that it was pruned"
    return f"no dead letter: it is {answer.replace('_', ' ')}"
