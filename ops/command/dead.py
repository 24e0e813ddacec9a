"""`lanes dead`: the dead letters."""

import sys
from itertools import islice
from typing import Any

import click

from ops.command.dead_letters import Choice, choice_options, choose, last_answer
from ops.command.dead_moves import Move, carry_out
from ops.command.export import write_rows
from ops.command.failure import Refused
from ops.command.job import find, show
from ops.command.session import Session, connected
from ops.command.table import Column, print_table
from ops.command.words import PrintableWord, examples, moment, print_json, say

COLUMNS = (
    Column("id"),
    Column("location"),
    Column("died at"),
    Column("reason", alarm="red"),
    Column("attempts", right=True),
    Column("last answer"),
)
LISTED = 50


@click.group(epilog=examples("lanes dead list --reason refused", "lanes dead replay --all --dry-run"))
def dead() -> None:
    """List, show, send again, export and give up dead letters: jobs that are not sent again by themselves.

    They are kept until they are replayed or purged.
    """


@dead.command("list", epilog=examples("lanes dead list", "lanes dead list --location loc --json | jq -r '.[].id'"))
@choice_options
@click.option("--limit", type=click.IntRange(1), help=f"How many at most; by default {LISTED}, in JSON all.")
@click.option("--json", "as_json", is_flag=True, help="Print them as a JSON array of jobs.")
@connected
def list_(session: Session, *, location: str | None, reason: str | None, limit: int | None, as_json: bool) -> None:
    """List dead letters, the oldest death first."""
    jobs = choose(session.store, Choice(location, reason))
    if as_json:
        print_json([job.as_json() for job in islice(jobs, limit)])
        return
    shown = list(islice(jobs, limit or LISTED))
    if not shown:
        say("no dead letters")
        return
    rows = [
        (job.id, job.location_id, moment(job.ended_at), job.reason, len(job.attempts), last_answer(job))
        for job in shown
    ]
    print_table(COLUMNS, rows)
    more = sum(1 for _ in jobs)
    if more:
        say(f"... and {more} more (--limit)")


@dead.command("show", epilog=examples("lanes dead show 0f8c4f0e6d2b4f4a", "lanes dead show 0f8c4f0e6d2b4f4a --json"))
@click.argument("job_id", metavar="ID", type=PrintableWord())
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@connected
def show_(session: Session, job_id: str, *, as_json: bool) -> None:
    """Show a dead letter: its body, and every attempt with the API's answer."""
    found = find(session, job_id)
    if not Choice().takes(found):
        message = f"{job_id} is no dead letter: it is {found.state.value.replace('_', ' ')}; see lanes job {job_id}"
        raise Refused(message)
    show(found, as_json=as_json)


def _move_options(function: Any) -> Any:
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--dry-run", is_flag=True, help="Print the ids of those that it would be, and change nothing."),
        choice_options,
        click.option("--all", "everything", is_flag=True, help="All, or all of --location and --reason."),
        click.argument("job_ids", metavar="ID...", nargs=-1, type=PrintableWord()),
    ):
        function = option(function)
    return function


@dead.command(
    epilog=examples(
        "lanes dead replay 0f8c4f0e6d2b4f4a", "lanes dead replay --all --location loc --reason unauthorized"
    )
)
@_move_options
@connected
def replay(session: Session, **given: Any) -> None:
    """Send dead letters again: each joins its lane as the youngest job, its attempts kept and none counted.

    In the order in which they died. With --all it asks first; where there is no terminal, it needs --yes.
    """
    carry_out(
        session, Move("replay", "replayed", lambda store, job_id: store.replay(job_id), asks_for_ids=False), given
    )


@dead.command(epilog=examples("lanes dead purge 0f8c4f0e6d2b4f4a", "lanes dead purge --all --reason refused --dry-run"))
@_move_options
@connected
def purge(session: Session, **given: Any) -> None:
    """Give dead letters up: they count as cancelled, and their bodies are gone at once.

    It asks first; where there is no terminal, it needs --yes. To keep the rows, see: lanes dead export.
    """
    retention = session.settings.retention_seconds
    carry_out(
        session, Move("purge", "purged", lambda store, job_id: store.purge(job_id, retention), asks_for_ids=True), given
    )


@dead.command(
    epilog=examples(
        "lanes dead export refused.jsonl --reason refused --why-to refused.why.jsonl",
        "lanes enqueue refused.jsonl          # once it is mended; then: lanes dead purge",
        "lanes dead export - --location loc | jq .contactId",
    )
)
@click.argument("file", metavar="[FILE|-]", default="-", type=click.Path(dir_okay=False, allow_dash=True))
@choice_options
@click.option(
    "--why-to",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write beside it, line by line: id, reason, attempts and the API's last answer.",
)
@connected
def export(session: Session, file: str, *, location: str | None, reason: str | None, why_to: str | None) -> None:
    """Write dead letters to a new file, or to stdout, as JSON Lines that `lanes enqueue` takes as they are.

    They stay dead letters: once the rows are enqueued again, purge them.
    """
    written = write_rows(session, choose(session.store, Choice(location, reason)), file, why_to)
    sys.stdout.flush()
    say(f"exported {written} dead letter{'' if written == 1 else 's'}")
