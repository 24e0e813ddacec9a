"""`lanes job`: shows one job, what blocks it and its attempts."""

from collections.abc import Sequence

import click

from lanes.printable import printable
from lanes.queue.job import Attempt, Job
from lanes.queue.waiting import Blocker
from lanes.times import format_time
from ops.command.console import PrintableWord, examples, print_json
from ops.command.failures import Refused
from ops.command.session import Session, connected


@click.command(epilog=examples("lanes job 0f8c4f0e6d2b4f4a", "lanes job 0f8c4f0e6d2b4f4a --json | jq .attempts"))
@click.argument("job_id", metavar="ID", type=PrintableWord())
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@connected
def job(session: Session, job_id: str, *, as_json: bool) -> None:
    """Show a job: its state, what it waits for, its body while that is kept, and every attempt with the API's answer.

    A finished job is kept for LANES_RETENTION_SECONDS (a day by default), a dead letter until it is replayed or purged.
    """
    found, position = find(session, job_id), session.store.queue_position(job_id)
    show(found, position.blockers() if position else (), as_json=as_json)


def find(session: Session, job_id: str) -> Job:
    """Return the job. An unknown id ends the command."""
    found = session.store.job(job_id)
    if found is None:
        raise Refused(f"no job {job_id}: mistyped, or done so long ago that it was pruned")
    return found


def show(found: Job, waits: Sequence[Blocker] = (), *, as_json: bool) -> None:
    """Print a job, and what it waits for."""
    if as_json:
        print_json({**found.as_json(), "waits": [wait.as_json() for wait in waits]})
        return
    for name, value in found.as_json().items():
        if name == "attempts" or value is None:
            continue
        shown = format_time(value) if isinstance(value, float) else printable(value)
        click.echo(f"{name:<15}{shown}")
    for wait in waits:
        click.echo(f"{'waits':<15}{wait_line(wait)}")
    click.echo(f"{'attempts':<15}{len(found.attempts)}")
    for attempt in found.attempts:
        click.echo(f"  {attempt_line(attempt)}")


def wait_line(wait: Blocker) -> str:
    """Return a blocker as one line."""
    job = f" {printable(wait.job_id)}" if wait.job_id else ""
    until = f" (until {format_time(wait.until)})" if wait.until is not None else ""
    return f"{printable(wait.words)}{job}{until}"


def attempt_line(attempt: Attempt) -> str:
    """Return an attempt as one line."""
    seconds = attempt.detail.get("seconds", attempt.ended_at - attempt.started_at)
    known = {name: value for name, value in attempt.detail.items() if value is not None and name != "seconds"}
    detail = " ".join(f"{name}={printable(value)}" for name, value in known.items())
    return f"{attempt.number}  {format_time(attempt.started_at)}  {seconds:.3f}s  {attempt.outcome}  {detail}".rstrip()
