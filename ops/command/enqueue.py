"""`lanes enqueue`: enqueues the rows of a file."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import click

from lanes.storage.durability import Durability
from ops.command.console import Moment, PrintableWord, examples, options
from ops.command.enqueue_file import EnqueuePlan, FileEnqueue, conclude
from ops.command.enqueue_mapping import make_mapping, mapping_options
from ops.command.failures import CommandFailure, Interrupted, NoRedis, Refused
from ops.command.new_file import new_file
from ops.command.progress import BytesRead
from ops.command.rejected_rows import RejectedRows
from ops.command.row_files import input_file, input_format, opened
from ops.command.session import Session, connected
from producers import DurabilityError, EnqueueInterruptedError, InvalidJobError
from producers.files.rows import Format
from producers.model import EnqueueOptions, check

_options = options(
    mapping_options,
    click.option(
        "--dry-run", is_flag=True, help="Enqueue none: check every row, show the first as sent. Needs no Redis."
    ),
    click.option("--service", metavar="NAME", help="Name of the service, stored with each job."),
    click.option("--merge/--no-merge", default=None, help="Merge into pending jobs of the same opportunity, or not."),
    click.option("--priority", type=click.IntRange(0, 9), help="0 to 9: higher goes first in its lane."),
    click.option("--not-before", type=Moment(), metavar="TIME", help="Send no job earlier (ISO 8601 and zone)."),
    click.option("--expires-at", type=Moment(), metavar="TIME", help="Send no job later (ISO 8601 and zone)."),
    click.option("--durability", metavar="LEVEL", help="When a row is accepted: accepted, fsync or replicas:N."),
    click.option(
        "--idempotency-prefix",
        metavar="PREFIX",
        type=PrintableWord(),
        help="Make it safe to enqueue the file twice: row 7 gets the key PREFIX-7 unless it has its own.",
    ),
    click.option(
        "--from-line",
        type=click.IntRange(1),
        default=1,
        metavar="N",
        help="Skip the rows before line (array: element) N.",
    ),
    click.option(
        "--refused-to",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Copy the refused rows to a new file, to be fixed and enqueued.",
    ),
    click.option("--max-errors", type=click.IntRange(0), default=20, show_default=True, help="Errors to print."),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    click.option("--ids", is_flag=True, help="Also print the job ids, one per line or in the JSON."),
)


@click.command(
    epilog=examples(
        "lanes enqueue deals.jsonl --idempotency-prefix deals-2026-05",
        "lanes enqueue deals.csv --dry-run --refused-to wrong.csv",
        "lanes enqueue export.csv --preset highlevel-export --location ve9EPM428h8vShlRW1KT --dry-run",
        "lanes enqueue deals.csv --map 'Deal=name' --map 'Value=monetaryValue' --numbers en",
        "curl -s https://example.com/deals.csv | lanes enqueue - --format csv --json",
    )
)
@input_file
@_options
@connected
def enqueue(session: Session, file: str, *, form: Format | None, dry_run: bool, **given: Any) -> None:
    """Enqueue the rows of FILE, or of stdin (-): JSON Lines, a JSON array, or CSV with a header of field names. FILE
    may be compressed by gzip.

    The fields are those of the API: pipelineId, locationId, contactId, name, status, pipelineStageId, monetaryValue,
    assignedTo. Version v3 (LANES_API_VERSION) has id, followers (in CSV a;b) and others instead of contactId. Options
    go under _options, in CSV into columns like _options.expires_at. Each refused row is printed with its line, field
    and value; all others are enqueued.

    With --idempotency-prefix you can run the same command again after an interruption: rows that were accepted in the
    last LANES_IDEMPOTENCY_SECONDS (a day by default) count as duplicates. Keys contain the line number, so add new rows
    at the end. A changed row with an old key is refused.
    """
    common = _common({name: given[name] for name in ("service", "not_before", "expires_at", "merge", "priority")})
    prefix, durability = given["idempotency_prefix"], given["durability"]
    _check(prefix, durability)
    name = "stdin" if file == "-" else file
    form = form or input_format(file)
    mapping = make_mapping(given, form, session.settings)
    plan = EnqueuePlan(name, form, mapping, common, prefix, given["from_line"], durability)
    if not dry_run:
        session.producer  # noqa: B018 - report an unreachable Redis before anything is read
    with opened(file) as source, _rejected_rows(given["refused_to"], plan.form) as rejected_rows:
        size = None if file == "-" else Path(file).stat().st_size
        with BytesRead(source, size, given["max_errors"]) as progress:
            file_enqueue = FileEnqueue(session, plan, rejected_rows, progress)
            ending = _enqueue_all(file_enqueue, source, dry_run=dry_run)
        conclude(file_enqueue, as_json=given["as_json"], ids=given["ids"], dry_run=dry_run)
    if ending is not None:
        raise ending
    if file_enqueue.report.refused:
        raise click.exceptions.Exit(Refused.exit_code)


def _enqueue_all(file_enqueue: FileEnqueue, source: BinaryIO, *, dry_run: bool) -> CommandFailure | None:
    """Read to the end; return what interrupted it, if anything did."""
    try:
        if dry_run:
            file_enqueue.check(source)
        else:
            file_enqueue.enqueue(source)
    except EnqueueInterruptedError as error:
        return NoRedis(f"{error.__cause__ or error}\n{file_enqueue.how_to_continue()}")
    except DurabilityError as error:
        return Refused(f"{error}\n{file_enqueue.how_to_continue()}")
    except KeyboardInterrupt:
        return Interrupted(f"interrupted: {file_enqueue.how_to_continue()}")
    return None


def _common(given: Mapping[str, object]) -> EnqueueOptions:
    try:
        return check(EnqueueOptions, {name: value for name, value in given.items() if value is not None})
    except InvalidJobError as error:
        raise click.UsageError("; ".join(f"--{str(p).replace('_', '-', 1)}" for p in error.field_errors)) from None


def _check(prefix: str | None, durability: str | None) -> None:
    try:
        Durability.parse("accepted" if durability is None else durability)
    except ValueError as error:
        raise click.UsageError(f"--durability: {error} (it is {durability!r})") from None
    if prefix is not None and not (prefix.isascii() and " " not in prefix and len(prefix) <= 100):
        problem = "must be 1 to 100 printable ASCII characters, no spaces"
        raise click.UsageError(f"--idempotency-prefix: {problem} (it is {prefix!r})")


@contextlib.contextmanager
def _rejected_rows(path: Path | None, form: Format) -> Iterator[RejectedRows]:
    if path is None:
        yield RejectedRows(None, form)
        return
    with new_file(path) as out, contextlib.closing(RejectedRows(out, form)) as rejected_rows:
        yield rejected_rows
