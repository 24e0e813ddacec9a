"""`lanes cancel`: cancel pending jobs."""

import click

from ops.command.console import PrintableWord, examples, pluralize, say
from ops.command.dead_bulk import confirm
from ops.command.failures import Refused
from ops.command.session import Session, connected

REFUSALS = {
    "unknown": "no such job: mistyped, or done and no longer kept",
    "dead": "not cancelled: it is a dead letter; give it up with: lanes dead purge",
    "has_merged_jobs": "not cancelled: other jobs were merged into it",
    "merged": "not cancelled: it was merged into another job, which delivers both",
}


@click.command(epilog=examples("lanes cancel 0f8c4f0e6d2b4f4a", "lanes cancel $(cat ids.txt) --yes"))
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True, type=PrintableWord())
@click.option("--yes", is_flag=True, help="Do not ask.")
@connected
def cancel(session: Session, job_ids: tuple[str, ...], *, yes: bool) -> None:
    """Cancel pending jobs. Jobs that cannot be cancelled are listed with their state.

    It asks before it cancels more than one; without a terminal, add --yes.
    """
    job_ids, cancelled = tuple(dict.fromkeys(job_ids)), 0
    if len(job_ids) > 1 and not yes:
        confirm(f"cancel {pluralize(len(job_ids), 'job')}?", "add --yes")
    for job_id in job_ids:
        session.log_change("cancel", job_id)
        answer = session.store.cancel(job_id, session.settings.retention_seconds)
        if answer == "cancelled":
            cancelled += 1
            session.so_far = f"{pluralize(cancelled, 'job')} of {len(job_ids)} cancelled"
        else:
            say(f"{job_id}: {REFUSALS.get(answer, 'not cancelled: it is ' + answer.replace('_', ' '))}")
    if cancelled < len(job_ids):
        raise Refused(f"cancelled {cancelled} of {pluralize(len(job_ids), 'job')}")
    say(f"cancelled {pluralize(cancelled, 'job')}")
