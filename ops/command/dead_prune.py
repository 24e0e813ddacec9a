"""`lanes dead prune`: drops old dead letters, after writing them to a file."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from lanes.dead_letters import operations
from lanes.dead_letters.operations import TimeRange
from lanes.queue.job import Job
from ops.command.console import Duration, examples, pluralize, say
from ops.command.dead_bulk import confirm, why_not
from ops.command.progress import Steps
from ops.command.row_files import FORMATS
from ops.command.session import Session, connected
from ops.redis_backup import sync_folder
from producers.files.dead_letters import DeadLetterWriter


@click.command(
    epilog=examples(
        "lanes dead prune --older-than 90d --keep 100000 --to /var/lib/lanes/dropped.jsonl",
        "lanes dead prune --older-than 90d --dry-run",
        "lanes dead import /var/lib/lanes/dropped.jsonl    # restores them",
    )
)
@click.option("--older-than", metavar="AGE", type=Duration(), help="Drop those that failed longer ago: 12h, 90d.")
@click.option("--keep", metavar="N", type=click.IntRange(0), help="Drop all but the newest N.")
@click.option(
    "--to",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append them to this file first: CSV if its name ends with .csv, else JSON Lines.",
)
@click.option("--no-file", is_flag=True, help="Drop them without a copy.")
@click.option("--dry-run", is_flag=True, help="Show how many would be dropped and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask; only --no-file asks.")
@connected
def prune(session: Session, *, file: Path | None, no_file: bool, dry_run: bool, yes: bool, **given: Any) -> None:
    """Drop dead letters by age or number, oldest first, for example from cron. They count as cancelled.

    Each batch is written to disk before it is dropped, so an interruption loses nothing. A dead letter may then be in
    the file twice; lanes dead import accepts that.
    """
    if given["older_than"] is None and given["keep"] is None:
        raise click.UsageError("say what to drop: --older-than AGE, --keep N, or both")
    if not dry_run and (file is None) != no_file:
        raise click.UsageError("say where to write them first: --to FILE, or --no-file to drop them without a copy")
    time_range = _to_drop(session, **given)
    total = 0 if time_range is None else operations.count(session.store, time_range)
    if dry_run:
        say(f"would drop {pluralize(total, 'dead letter')}; nothing was changed")
        return
    if no_file and total and not yes:
        confirm(f"drop {pluralize(total, 'dead letter')} without a copy?")
    if time_range is None or not total:
        say("dropped 0 dead letters")
        return
    session.log_change("prune", pluralize(total, "dead letter"), f"to {file}" if file else "without a copy")
    with _appended(file) if file else contextlib.nullcontext() as out:
        _drop(session, time_range, total, out)


def _to_drop(session: Session, older_than: float | None, keep: int | None) -> TimeRange | None:
    """Return the time range to drop; None for nothing."""
    now = operations.until_now(session.store)
    ranges = [] if older_than is None else [TimeRange(max(0.0, now.until - older_than))]
    if keep is not None and (time_range := operations.all_but_newest(session.store, now, keep)) is not None:
        ranges.append(time_range)
    return max(ranges, key=lambda time_range: time_range.until, default=None)


def _drop(session: Session, time_range: TimeRange, total: int, out: "DeadLetterFile | None") -> None:
    dropped = 0
    with Steps("dropping", total) as progress:
        for jobs in operations.read_dead_letters(session.store, time_range):
            if out is not None:
                for job in jobs:
                    if job.body is None:  # it is in no file, so it stays in Redis
                        progress.say(f"{job.id}: kept: its body cannot be read; lanes check shows what to do")
                jobs = [job for job in jobs if job.body is not None]  # noqa: PLW2901
                out.write(jobs)
            for result in operations.purge_seen(session.store, jobs, session.settings.retention_seconds):
                if result.answer == "purged":
                    dropped += 1
                else:
                    progress.say(f"{result.job_id}: kept: {why_not(result)}")
            session.so_far = f"dropped {dropped} of {pluralize(total, 'dead letter')}"
            progress.update(dropped)
    say(f"dropped {pluralize(dropped, 'dead letter')}")


class DeadLetterFile:
    """A file of dead letters. When `write` returns, they are on disk."""

    def __init__(self, out: BinaryIO, path: Path) -> None:
        self._out = out
        form = FORMATS.get(path.suffix.lower(), "jsonl")
        self._writer = DeadLetterWriter(out, form, header=out.tell() == 0)

    def write(self, jobs: Sequence[Job]) -> None:
        """Append dead letters."""
        for job in jobs:
            self._writer.write(job)
        self._out.flush()
        os.fsync(self._out.fileno())


@contextlib.contextmanager
def _appended(path: Path) -> Iterator[DeadLetterFile]:
    """Open a file to append to, locked against other prunes. An incomplete last row gets a line end first."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None
    with os.fdopen(descriptor, "ab+") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise click.UsageError(f"{path}: another prune is writing to it; try again when that has ended") from None
        size = out.seek(0, os.SEEK_END)
        if size:
            out.seek(size - 1)
            if out.read(1) != b"\n":
                out.write(b"\n")
            out.seek(0, os.SEEK_END)
        else:
            sync_folder(path.parent)
        yield DeadLetterFile(out, path)
