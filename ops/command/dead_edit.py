"""`lanes dead edit`: mend the body of a dead letter."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lanes.printable import printable
from lanes.queue.job import Job
from lanes.queue.new_job import NewJob
from ops.command.console import PrintableWord, examples, print_json, say
from ops.command.failures import Refused
from ops.command.job import find
from ops.command.session import Session, connected
from producers.dead_letter_edit import api_name, differences, new_job_with_body, parse_body
from producers.errors import InvalidJobError
from producers.files.rows import NUMBERS, number


@click.command(
    epilog=examples(
        "lanes dead edit 0f8c4f0e6d2b4f4a --set status=won --unset assignedTo",
        "lanes dead edit 0f8c4f0e6d2b4f4a              # in $EDITOR",
        "jq '.body | .name = \"Deal\"' letter.json | lanes dead edit 0f8c4f0e6d2b4f4a --file -",
    )
)
@click.argument("job_id", metavar="ID", type=PrintableWord())
@click.option("--set", "sets", metavar="FIELD=VALUE", multiple=True, help="Set a field.")
@click.option("--unset", "unsets", metavar="FIELD", multiple=True, help="Leave a field out: it is not sent.")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, allow_dash=True), help="The whole body, in JSON.")
@click.option("--dry-run", is_flag=True, help="Show what it would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the letter as JSON when it is done.")
@connected
def edit(
    session: Session,
    job_id: str,
    *,
    sets: tuple[str, ...],
    unsets: tuple[str, ...],
    file: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Change the body of a dead letter: by fields, from a file or stdin (-), or in $EDITOR. It stays a dead letter.

    The new body is checked as at enqueue. pipelineId, locationId and contactId stay, since they say which opportunity
    it is for: for another one, enqueue a new row and purge the letter. The body as it was accepted is kept and shown.
    """
    if file is not None and (sets or unsets):
        raise click.UsageError("--file brings the whole body: leave --set and --unset out")
    letter = find(session, job_id)
    read = session.store.read(lambda client: client.get(session.store.key("body", job_id)))
    if not letter.is_dead_letter or read is None:
        raise Refused(_refusal(job_id, "merged" if letter.merged_into else letter.state.value))
    body = json.loads(read)
    if file is not None:
        new_job = _checked(letter, _read_text(file))
    elif sets or unsets:
        new_job = _checked(letter, changed(letter, body, sets, unsets))
    else:
        new_job = _edit_in_editor(letter, body)
    _print_changes(body, json.loads(new_job.body))
    if dry_run:
        say("nothing was changed")
        return
    if new_job.body != read:
        session.log_change("edit", job_id)
        answer = session.store.edit(job_id, read, new_job)
        if answer != "edited":
            raise Refused(_refusal(job_id, answer))
        say(f"edited {job_id}; to send it: lanes dead replay {job_id}")
    if as_json:
        print_json(find(session, job_id).as_json())


def changed(letter: Job, body: Mapping[str, Any], sets: tuple[str, ...], unsets: tuple[str, ...]) -> dict[str, Any]:
    """Return a body with fields set and left out."""
    new = dict(body)
    for text in sets:
        field, equals, value = text.partition("=")
        if not equals or not field:
            raise click.UsageError(f"--set: must be FIELD=VALUE (it is {printable(repr(text))})")
        new[api_name(letter, field)] = number(value) if field in NUMBERS else value
    for field in unsets:
        if new.pop(api_name(letter, field), None) is None:
            raise click.UsageError(f"--unset: {printable(field)} is not set; set are: {', '.join(body)}")
    return new


def _read_text(file: str) -> str:
    if file == "-":
        return str(sys.stdin.read())
    try:
        return Path(file).read_text("utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{file}: must be UTF-8") from None


def _checked(letter: Job, body: str | Mapping[str, Any]) -> NewJob:
    try:
        return new_job_with_body(letter, parse_body(body) if isinstance(body, str) else body)
    except InvalidJobError as error:
        raise Refused("\n".join(printable(problem) for problem in error.field_errors)) from None


def _edit_in_editor(letter: Job, body: Mapping[str, Any]) -> NewJob:
    """Let a person edit the body, again and again until it is right or given up."""
    text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
    while True:
        written = click.edit(text, extension=".json")
        if written is None:
            raise Refused("nothing was changed: the file was not saved")
        text = written
        try:
            return _checked(letter, text)
        except Refused as refused:
            refused.show()
            if not click.confirm("edit it again?", default=True, err=True):
                raise Refused("nothing was changed") from None


def _print_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Show what changes, field by field."""
    found = list(differences(old, new))
    for each in found:
        before, after = ("unset" if value is None else value for value in (each.before, each.after))
        say(f"{each.field}: {before} -> {after}")
    if not found:
        say("no field changes")


def _refusal(job_id: str, answer: str) -> str:
    if answer == "changed":
        return f"{job_id}: somebody else changed it in this moment; look again: lanes dead show {job_id}"
    if answer == "elsewhere":
        return (
            f"{job_id}: pipelineId, locationId and contactId must stay as they are; "
            f"for another opportunity: lanes enqueue, then lanes dead purge {job_id}"
        )
    return f"{job_id} is no dead letter: it is {answer.replace('_', ' ')}; see lanes job {job_id}"
