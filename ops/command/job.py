"""`lanes job`: shows one job, what blocks it and its attempts."""

from collections.abc import Sequence
from dataclasses import replace

import click

from lanes.errors import RedisUnavailableError
from lanes.printable import printable
from lanes.queue.job import Attempt, Job
from lanes.queue.rejected_task import RejectedTask
from lanes.queue.waiting import Blocker
from lanes.times import format_time
from ops.command.console import PrintableWord, examples, print_json, say
from ops.command.failures import Refused
from ops.command.session import Session, connected


@click.command(epilog=examples("lanes job 0f8c4f0e6d2b4f4a", "lanes job 0f8c4f0e6d2b4f4a --json | jq .attempts"))
@click.argument("job_id", metavar="ID", type=PrintableWord())
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--no-content", is_flag=True, help="Leave the body out; writes no audit-log entry.")
@connected
def job(session: Session, job_id: str, *, as_json: bool, no_content: bool) -> None:
    """Show a job: its state, what it waits for, its body while that is kept, and every attempt with the API's answer.

    A finished job is kept for LANES_RETENTION_SECONDS (a day by default), a dead letter until it is replayed or purged.
    Showing the body writes an audit-log entry; a script that only polls the state should use --no-content.

    For the id of a Celery task producers.enqueue, the rows that it refused are shown, for the same time.
    """
    found = session.store.job(job_id)
    rejected = session.store.rejected_task(job_id) if found is None else None
    if rejected is not None:
        show_rejected(rejected, as_json=as_json)
        raise Refused(f"{job_id} is no job: {rejected.summary}")
    found, position = found or find(session, job_id), session.store.queue_position(job_id)
    if no_content:
        found = without_content(found)
    show(session, found, position.blockers() if position else (), as_json=as_json)


def find(session: Session, job_id: str) -> Job:
    """Return the job. An unknown id ends the command."""
    found = session.store.job(job_id)
    if found is None and (rejected := session.store.rejected_task(job_id)) is not None:
        raise Refused(f"{job_id} is no job: {rejected.summary}; see lanes job {job_id}")
    if found is None:
        raise Refused(f"no job {job_id}: mistyped, or done and no longer kept")
    return found


def without_content(found: Job) -> Job:
    """Return the job without its body."""
    return replace(found, body=None, original=None)


def log_reveal(session: Session, found: Job) -> None:
    """Write the audit-log entry for showing the content of a job; call it before."""
    session.log_change("reveal", found.id, f"{found.state.value.replace('_', ' ')}, location {found.location_id}")


def show(session: Session, found: Job, waits: Sequence[Blocker] = (), *, as_json: bool) -> None:
    """Print a job, and what it waits for. Its content is only shown if the audit log can be written."""
    if found.body is not None or found.original is not None:
        try:
            log_reveal(session, found)
        except RedisUnavailableError as error:
            say(f"the content is not shown, because the audit log cannot be written: {error}")
            found = without_content(found)
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


def show_rejected(rejected: RejectedTask, *, as_json: bool) -> None:
    """Print what an enqueue task refused."""
    if as_json:
        print_json(rejected.as_json())
        return
    click.echo(f"{'task':<15}{printable(rejected.id)}\n{'refused at':<15}{format_time(rejected.at)}")
    for row in rejected.refused:
        click.echo(printable(row))


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
