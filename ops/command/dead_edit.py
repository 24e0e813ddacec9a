"""`lanes dead edit`: mend the body of a dead letter."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lanes.job import Job
from lanes.order import Order
from lanes.printable import printable
from ops.command.failure import Refused
from ops.command.job import find
from ops.command.session import Session, connected
from ops.command.words import PrintableWord, examples, print_json, say
from producers.errors import InvalidJobError
from producers.letter_edits import api_name, differences, mended, parse_body
from producers.rows import NUMBERS, number


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
        message = "--file brings the whole body: leave --set and --unset out"
        raise click.UsageError(message)
    letter = find(session, job_id)
    read = session.store.read(lambda client: client.get(session.store.key("body", job_id)))
    if not letter.is_letter or read is None:
        raise Refused(_refusal(job_id, "merged" if letter.merged_into else letter.state.value))
    body = json.loads(read)
    if file is not None:
        order = _checked(letter, _text_of(file))
    elif sets or unsets:
        order = _checked(letter, changed(letter, body, sets, unsets))
    else:
        order = _by_hand(letter, body)
    _tell(body, json.loads(order.body))
    if dry_run:
        say("nothing was changed")
        return
    if order.body != read:
        session.note("edit", job_id)
        answer = session.store.edit(job_id, read, order)
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
            message = f"--set: must be FIELD=VALUE (it is {printable(repr(text))})"
            raise click.UsageError(message)
        new[api_name(letter, field)] = number(value) if field in NUMBERS else value
    for field in unsets:
        if new.pop(api_name(letter, field), None) is None:
            message = f"--unset: {printable(field)} is not set; set are: {', '.join(body)}"
            raise click.UsageError(message)
    return new


def _text_of(file: str) -> str:
    if file == "-":
        return str(sys.stdin.read())
    try:
        return Path(file).read_text("utf-8")
    except UnicodeDecodeError:
        message = f"{file}: must be UTF-8"
        raise Refused(message) from None


def _checked(letter: Job, body: str | Mapping[str, Any]) -> Order:
    try:
        return mended(letter, parse_body(body) if isinstance(body, str) else body)
    except InvalidJobError as error:
        raise Refused("\n".join(printable(problem) for problem in error.problems)) from None


def _by_hand(letter: Job, body: Mapping[str, Any]) -> Order:
    """Let a person edit the body, again and again until it is right or given up."""
    text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
    while True:
        written = click.edit(text, extension=".json")
        if written is None:
            message = "nothing was changed: the file was not saved"
            raise Refused(message)
        text = written
        try:
            return _checked(letter, text)
        except Refused as refused:
            refused.show()
            if not click.confirm("edit it again?", default=True, err=True):
                message = "nothing was changed"
                raise Refused(message) from None


def _tell(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
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
