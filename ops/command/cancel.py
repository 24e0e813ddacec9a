"""`lanes cancel`: take jobs back."""

import click

from ops.command.console import PrintableWord, examples, pluralize, say
from ops.command.failures import Refused
from ops.command.session import Session, connected


@click.command(epilog=examples("lanes cancel 0f8c4f0e6d2b4f4a", "lanes cancel $(cat ids.txt)"))
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True, type=PrintableWord())
@connected
def cancel(session: Session, job_ids: tuple[str, ...]) -> None:
    """Cancel pending jobs. Jobs that cannot be cancelled are listed with their state."""
    cancelled = 0
    for job_id in job_ids:
        session.log_change("cancel", job_id)
        answer = session.store.cancel(job_id, session.settings.retention_seconds)
        if answer == "cancelled":
            cancelled += 1
            session.so_far = f"{pluralize(cancelled, 'job')} of {len(job_ids)} cancelled"
        else:
            say(f"{job_id}: {refusal(answer)}")
    if cancelled < len(job_ids):
        raise Refused(f"cancelled {cancelled} of {pluralize(len(job_ids), 'job')}")
    say(f"cancelled {pluralize(cancelled, 'job')}")


def refusal(answer: str) -> str:
    """Say why a job was not cancelled."""
    if answer == "unknown":
        return "no such job: mistyped, or done so long ago that it was pruned"
    if answer == "dead":
        return "not cancelled: it is a dead letter; give it up with: lanes dead purge"
    if answer == "has_merged_jobs":
        return "not cancelled: other jobs were merged into it, and are not yours to take back"
    if answer == "merged":
        return "not cancelled: it was merged into another job, which delivers it too"
    return f"not cancelled: it is {answer.replace('_', ' ')}"
