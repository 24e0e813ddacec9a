"""`lanes dead prune`: keep dead letters within an age and a number; what is dropped is in a file first."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import click

from lanes.dead_letters import operations
from lanes.dead_letters.operations import TimeRange
from lanes.queue.job import Job
from ops.command.console import Duration, examples, pluralize, say
from ops.command.dead_bulk import confirm, why_not
from ops.command.enqueue import FORMATS
from ops.command.progress import Steps
from ops.command.session import Session, connected
from ops.redis_backup import sync_folder
from producers.files.dead_letters import DeadLetterWriter


@click.command(
    epilog=examples(
        "lanes dead prune --older-than 90d --keep 100000 --to /var/lib/lanes/dropped.jsonl",
        "lanes dead prune --older-than 90d --dry-run",
        "lanes dead import /var/lib/lanes/dropped.jsonl    # they are back",
    )
)
@click.option("--older-than", metavar="AGE", type=Duration(), help="Drop those that failed longer ago: 12h, 90d.")
@click.option("--keep", metavar="N", type=click.IntRange(0), help="Drop all but the N that failed last.")
@click.option(
    "--to",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write them there first, behind what stands there; JSON Lines, or CSV if it ends so.",
)
@click.option("--no-file", is_flag=True, help="Drop them for good.")
@click.option("--dry-run", is_flag=True, help="Tell how many it would be, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask; only --no-file asks.")
@connected
def prune(
    session: Session,
    *,
    older_than: float | None,
    keep: int | None,
    file: Path | None,
    no_file: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Drop the dead letters beyond an age, or beyond a number, the oldest first; meant for cron.

    Each batch is on the disk before it is dropped, so that whatever is interrupted loses nothing; a letter may then
    stand in the file twice, which lanes dead import does not mind. Dropped jobs count as cancelled.
    """
    if older_than is None and keep is None:
        raise click.UsageError("say what to drop: --older-than AGE, --keep N, or both")
    if not dry_run and (file is None) != no_file:
        raise click.UsageError("say where they go first: --to FILE, or --no-file to drop them for good")
    time_range = _beyond(session, older_than, keep)
    total = 0 if time_range is None else operations.count(session.store, time_range)
    if dry_run:
        say(f"would drop {pluralize(total, 'dead letter')}; nothing was changed")
        return
    if no_file and total and not yes:
        confirm(f"drop {pluralize(total, 'dead letter')} for good?")
    if time_range is None or not total:
        say("dropped 0 dead letters")
        return
    session.log_change("prune", pluralize(total, "dead letter"), f"to {file}" if file else "for good")
    with _appended(file) if file else contextlib.nullcontext() as out:
        _drop(session, time_range, total, out)


def _beyond(session: Session, older_than: float | None, keep: int | None) -> TimeRange | None:
    """Return the span of what is to be dropped: both limits leave the youngest."""
    now = operations.until_now(session.store)
    spans = [] if older_than is None else [TimeRange(max(0.0, now.until - older_than))]
    if keep is not None and (time_range := operations.all_but_newest(session.store, now, keep)) is not None:
        spans.append(time_range)
    return max(spans, key=lambda time_range: time_range.until, default=None)


def _drop(session: Session, time_range: TimeRange, total: int, out: "DeadLetterFile | None") -> None:
    dropped = 0
    with Steps("dropping", total) as progress:
        for jobs in operations.read_dead_letters(session.store, time_range):
            if out is not None:
                out.write(jobs)
            for moved in operations.purge_seen(session.store, jobs, session.settings.retention_seconds):
                if moved.answer == "purged":
                    dropped += 1
                else:
                    progress.say(f"{moved.job_id}: kept: {why_not(moved)}")
            session.so_far = f"dropped {dropped} of {pluralize(total, 'dead letter')}"
            progress.update(dropped)
    say(f"dropped {pluralize(dropped, 'dead letter')}")


class DeadLetterFile:
    """A file to which letters are added; when `write` returns, they are on the disk."""

    def __init__(self, out: BinaryIO, path: Path) -> None:
        self._out = out
        form = FORMATS.get(path.suffix.lower(), "jsonl")
        self._writer = DeadLetterWriter(out, form, header=out.tell() == 0)

    def write(self, jobs: Sequence[Job]) -> None:
        """Add letters."""
        for job in jobs:
            self._writer.write(job)
        self._out.flush()
        os.fsync(self._out.fileno())


@contextlib.contextmanager
def _appended(path: Path) -> Iterator[DeadLetterFile]:
    """Open a file to add to it, nobody else at the same time; behind a row that was cut off, a new line begins."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None
    with os.fdopen(descriptor, "ab+") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise click.UsageError(f"{path}: another prune writes there now") from None
        size = out.seek(0, os.SEEK_END)
        if size:
            out.seek(size - 1)
            if out.read(1) != b"\n":
                out.write(b"\n")
            out.seek(0, os.SEEK_END)
        else:
            sync_folder(path.parent)
        yield DeadLetterFile(out, path)
