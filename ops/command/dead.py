"""`lanes dead`: the dead letters."""

import sys
from itertools import islice
from typing import Any

import click

from lanes.dead_letters.bulk import purge_action, replay_action
from lanes.dead_letters.filter import find_dead_letters
from lanes.dead_letters.groups import group_by_error
from lanes.queue.dead_letter_summary import summarize
from lanes.times import format_time
from ops.command.console import (
    MAX_SHOWN,
    PrintableWord,
    examples,
    options,
    pluralize,
    print_json,
    print_json_array,
    say,
)
from ops.command.dead_bulk import BulkRequest, run_bulk
from ops.command.dead_edit import edit, refusal
from ops.command.dead_export import write_dead_letters, write_rows
from ops.command.dead_filter import filter_options, take_filter
from ops.command.dead_groups import print_groups
from ops.command.dead_import import import_
from ops.command.dead_prune import prune
from ops.command.failures import Refused
from ops.command.job import find, show
from ops.command.row_files import output_format
from ops.command.session import Session, connected
from ops.command.table import Column, print_table
from producers.files.rows import Format

COLUMNS = (
    Column("id"),
    Column("location"),
    Column("failed at"),
    Column("reason", alarm="red"),
    Column("attempts", right=True),
    Column("last answer"),
)
LISTED = 50


@click.group(epilog=examples("lanes dead list --group", "lanes dead replay --all --dry-run"))
def dead() -> None:
    """List, show, edit, replay, export and purge dead letters: jobs that are not sent again automatically.

    Expired jobs are dead letters with the reason expired. Dead letters are kept until you replay, purge or prune them.
    """


@dead.command(
    "list",
    epilog=examples(
        "lanes dead list --group",
        "lanes dead list --status 422 --message 'pipeline id' --newer-than 12h",
        "lanes dead list --location loc --json | jq -r '.[].id'",
    ),
)
@filter_options
@click.option("--group", "grouped", is_flag=True, help="Group by error.")
@click.option("--limit", type=click.IntRange(1, MAX_SHOWN), help=f"Show at most N.  [default: {LISTED}; JSON: all]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of jobs, or of groups.")
@connected
def list_(session: Session, *, grouped: bool, limit: int | None, as_json: bool, **given: Any) -> None:
    """List dead letters, the oldest failure first, or groups of them, the largest first."""
    dead_letter_filter = take_filter(given)
    jobs = find_dead_letters(session.store, dead_letter_filter)
    if grouped:
        groups = group_by_error(map(summarize, jobs))[:limit]
        if as_json:
            print_json([each.as_json() for each in groups])
        else:
            print_groups(groups)
        return
    if as_json:
        session.log_change("reveal", f"dead letters{dead_letter_filter}", "as JSON")
        print_json_array(job.as_json() for job in islice(jobs, limit))
        return
    shown = list(islice(jobs, limit or LISTED))
    rows = [
        (job.id, job.location_id, format_time(job.ended_at), job.reason, len(job.attempts), summarize(job).answer)
        for job in shown
    ]
    print_table(COLUMNS, rows, "no dead letters")
    if more := sum(1 for _ in jobs):
        say(f"... and {more} more (--limit)")


@dead.command("show", epilog=examples("lanes dead show 0f8c4f0e6d2b4f4a", "lanes dead show 0f8c4f0e6d2b4f4a --json"))
@click.argument("job_id", metavar="ID", type=PrintableWord())
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@connected
def show_(session: Session, job_id: str, *, as_json: bool) -> None:
    """Show a dead letter: why it failed, its body, and every attempt with the API's answer.

    An edited dead letter also shows its original body.
    """
    found = find(session, job_id)
    if not found.is_dead_letter:
        raise Refused(refusal(job_id, found.state.value))
    show(session, found, as_json=as_json)
    if not as_json:
        click.echo(f"{'why':<15}{summarize(found).why}")


_bulk_options = options(
    click.argument("job_ids", metavar="ID...", nargs=-1, type=PrintableWord()),
    click.option("--all", "everything", is_flag=True, help="All dead letters, or all that match the filters."),
    filter_options,
    click.option("--dry-run", is_flag=True, help="Print the matching ids and change nothing."),
    click.option("--yes", is_flag=True, help="Do not ask."),
)


@dead.command(
    epilog=examples(
        "lanes dead replay 0f8c4f0e6d2b4f4a", "lanes dead replay --all --location loc --reason unauthorized --dry-run"
    )
)
@_bulk_options
@click.option("--force", is_flag=True, help="Replay even if that overwrites what a newer job delivered.")
@connected
def replay(session: Session, *, force: bool, **given: Any) -> None:
    """Put dead letters back into their lanes. Old attempts stay visible but do not count.

    A replayed job goes before pending newer jobs of its opportunity. If a newer job was delivered or is in flight, the
    replay is refused as superseded by that job. --all asks first; without a terminal, add --yes.
    """
    request = BulkRequest(dead_letter_filter=take_filter(given), **given)
    run_bulk(session, replay_action(force=force), request, confirm_ids=False)


@dead.command(epilog=examples("lanes dead purge 0f8c4f0e6d2b4f4a", "lanes dead purge --all --older-than 90d --dry-run"))
@_bulk_options
@connected
def purge(session: Session, **given: Any) -> None:
    """Give up dead letters: they count as cancelled, and their bodies are deleted at once.

    It asks first; without a terminal, add --yes. To keep a copy, run lanes dead export first, or use lanes dead prune.
    """
    request = BulkRequest(dead_letter_filter=take_filter(given), **given)
    run_bulk(session, purge_action(session.settings.retention_seconds), request, confirm_ids=True)


@dead.command(
    epilog=examples(
        "lanes dead export dead.jsonl --reason refused       # undo a purge: lanes dead import dead.jsonl",
        "lanes dead export refused.jsonl --rows --reasons-to why.jsonl --reason refused",
        "lanes enqueue refused.jsonl                         # after fixing the rows; then: lanes dead purge",
    )
)
@click.argument("file", metavar="[FILE|-]", default="-", type=click.Path(dir_okay=False, allow_dash=True))
@filter_options
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), help="[default: by the file's extension]")
@click.option("--rows", is_flag=True, help="Write JSON Lines rows that lanes enqueue takes, without the attempts.")
@click.option("--reasons-to", metavar="FILE", type=click.Path(dir_okay=False), help="With --rows: why each row failed.")
@connected
def export(
    session: Session, file: str, *, form: Format | None, rows: bool, reasons_to: str | None, **given: Any
) -> None:
    """Write dead letters with their attempts to a new file or to stdout, as JSON Lines or CSV.

    They stay dead letters. lanes dead import reads the file. --reasons-to writes a second file with a line per row: id,
    reason, attempts and the API's last answer.
    """
    if (reasons_to and not rows) or (rows and form == "csv"):
        raise click.UsageError("--reasons-to needs --rows, and --rows writes JSON Lines only")
    dead_letter_filter = take_filter(given)
    session.log_change("export", f"dead letters{dead_letter_filter}", f"to {file}")
    jobs = find_dead_letters(session.store, dead_letter_filter)
    if rows:
        written = write_rows(session, jobs, file, reasons_to)
    else:
        written = write_dead_letters(session, jobs, file, form or output_format(file))
    sys.stdout.flush()
    say(f"exported {pluralize(written, 'dead letter')}")


for command in (edit, import_, prune):
    dead.add_command(command)
