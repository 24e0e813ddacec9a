"""`lanes dead edit`: change the body of a dead letter."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lanes.printable import printable
from lanes.queue.job import Job
from lanes.queue.new_job import NewJob
from lanes.storage.stored import json_object_of
from ops.command.console import PrintableWord, examples, print_json, say
from ops.command.failures import Refused
from ops.command.job import find, log_reveal
from ops.command.session import Session, connected
from producers.dead_letter_edit import api_name, differences, new_job_with_body, parse_body
from producers.errors import InvalidJobError
from producers.files.cells import NUMBERS, number


@click.command(
    epilog=examples(
        "lanes dead edit 0f8c4f0e6d2b4f4a --set status=won --unset assignedTo",
        "lanes dead edit 0f8c4f0e6d2b4f4a              # in $EDITOR",
        "jq '.body | .name = \"Deal\"' job.json | lanes dead edit 0f8c4f0e6d2b4f4a --file -",
    )
)
@click.argument("job_id", metavar="ID", type=PrintableWord())
@click.option("--set", "sets", metavar="FIELD=VALUE", multiple=True, help="Set a field.")
@click.option("--unset", "unsets", metavar="FIELD", multiple=True, help="Remove a field: it is not sent.")
@click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, allow_dash=True), help="Take the whole body, as JSON."
)
@click.option("--dry-run", is_flag=True, help="Show the changes and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the edited dead letter as JSON.")
@connected
def edit(session: Session, job_id: str, *, file: str | None, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Change the body of a dead letter: by fields, from a file or stdin (-), or in $EDITOR. It is not sent.

    The new body is validated as at enqueue. pipelineId, locationId and contactId cannot change: for another
    opportunity, enqueue a new row and purge this one. The original body is kept and shown.
    """
    sets, unsets = given["sets"], given["unsets"]
    if file is not None and (sets or unsets):
        raise click.UsageError("--file replaces the whole body: leave out --set and --unset")
    job = find(session, job_id)
    read = session.store.stored_body(job_id)
    if job.is_dead_letter and read is None:
        raise Refused(f"the body of {job_id} is missing: give it up with lanes dead purge {job_id}")
    if not job.is_dead_letter or read is None:
        raise Refused(refusal(job_id, "merged" if job.merged_into else job.state.value))
    log_reveal(session, job)
    body = json_object_of(read) or {}
    if file is not None:
        new_job = _checked(job, _read_text(file))
    elif sets or unsets:
        new_job = _checked(job, changed(job, body, sets, unsets))
    else:
        new_job = _edit_in_editor(job, body)
    _print_changes(body, json.loads(new_job.body))
    if dry_run:
        say("nothing was changed")
        return
    if new_job.body != read:
        session.log_change("edit", job_id)
        answer = session.store.edit(job_id, read, new_job)
        if answer != "edited":
            raise Refused(refusal(job_id, answer))
        say(f"edited {job_id}; to send it: lanes dead replay {job_id}")
    if as_json:
        print_json(find(session, job_id).as_json())


def changed(job: Job, body: Mapping[str, Any], sets: tuple[str, ...], unsets: tuple[str, ...]) -> dict[str, Any]:
    """Return the body with fields set and removed."""
    new = dict(body)
    for text in sets:
        field, equals, value = text.partition("=")
        if not equals or not field:
            raise click.UsageError(f"--set: must be FIELD=VALUE (it is {printable(repr(text))})")
        new[api_name(job, field)] = number(value) if field in NUMBERS else value
    for field in unsets:
        if new.pop(api_name(job, field), None) is None:
            raise click.UsageError(f"--unset: {printable(field)} is not set; set are: {', '.join(body)}")
    return new


def _read_text(file: str) -> str:
    if file == "-":
        return str(sys.stdin.read())
    try:
        return Path(file).read_text("utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{file}: must be UTF-8") from None


def _checked(job: Job, body: str | Mapping[str, Any]) -> NewJob:
    try:
        return new_job_with_body(job, parse_body(body) if isinstance(body, str) else body)
    except InvalidJobError as error:
        raise Refused("\n".join(printable(problem) for problem in error.field_errors)) from None


def _edit_in_editor(job: Job, body: Mapping[str, Any]) -> NewJob:
    """Open the body in $EDITOR, again and again until it is valid or the person gives up."""
    text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
    while True:
        written = click.edit(text, extension=".json")
        if written is None:
            raise Refused("nothing was changed: the file was not saved")
        text = written
        try:
            return _checked(job, text)
        except Refused as refused:
            refused.show()
            if not click.confirm("edit it again?", default=True, err=True):
                raise Refused("nothing was changed") from None


def _print_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Print each field that changes."""
    found = list(differences(old, new))
    for each in found:
        before, after = ("unset" if value is None else value for value in (each.before, each.after))
        say(f"{each.field}: {before} -> {after}")
    if not found:
        say("no field changes")


def refusal(job_id: str, answer: str) -> str:
    """Return why a job cannot be edited: `changed`, `elsewhere`, or its state, which is not dead."""
    if answer == "changed":
        return f"{job_id}: another person changed it just now; look again: lanes dead show {job_id}"
    if answer == "elsewhere":
        instead = f"for another opportunity: lanes enqueue, then lanes dead purge {job_id}"
        return f"{job_id}: pipelineId, locationId and contactId cannot be changed; {instead}"
    return f"{job_id} is not a dead letter: it is {answer.replace('_', ' ')}; see lanes job {job_id}"
