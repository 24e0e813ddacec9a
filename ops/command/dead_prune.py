"""`lanes dead prune`: keep dead letters within an age and a number; what is dropped is in a file first."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import click

from lanes import letters
from lanes.job import Job
from lanes.letters import Span
from ops.command.dead_moves import ask, why_not
from ops.command.enqueue import FORMATS
from ops.command.progress import Steps
from ops.command.session import Session, connected
from ops.command.words import Duration, counted, examples, say
from producers.letter_rows import LetterWriter


@click.command(
    epilog=examples(
        "lanes dead prune --older-than 90d --keep 100000 --to /var/lib/lanes/dropped.jsonl",
        "lanes dead prune --older-than 90d --dry-run",
        "lanes dead import /var/lib/lanes/dropped.jsonl    # they are back",
    )
)
@click.option("--older-than", metavar="AGE", type=Duration(), help="Drop those that died longer ago: 12h, 90d.")
@click.option("--keep", metavar="N", type=click.IntRange(0), help="Drop all but the N that died last.")
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
        message = "say what to drop: --older-than AGE, --keep N, or both"
        raise click.UsageError(message)
    if not dry_run and (file is None) != no_file:
        message = "say where they go first: --to FILE, or --no-file to drop them for good"
        raise click.UsageError(message)
    span = _beyond(session, older_than, keep)
    total = 0 if span is None else letters.count(session.store, span)
    if dry_run:
        say(f"would drop {counted(total, 'dead letter')}; nothing was changed")
        return
    if no_file and total and not yes:
        ask(f"drop {counted(total, 'dead letter')} for good?")
    if span is None or not total:
        say("dropped 0 dead letters")
        return
    session.note("prune", counted(total, "dead letter"), f"to {file}" if file else "for good")
    with _appended(file) if file else contextlib.nullcontext() as out:
        _drop(session, span, total, out)


def _beyond(session: Session, older_than: float | None, keep: int | None) -> Span | None:
    """Return the span of what is to be dropped: both limits leave the youngest."""
    now = letters.until_now(session.store)
    spans = [] if older_than is None else [Span(max(0.0, now.until - older_than))]
    if keep is not None and (span := letters.died_before(session.store, now, keep)) is not None:
        spans.append(span)
    return max(spans, key=lambda span: span.until, default=None)


def _drop(session: Session, span: Span, total: int, out: "LetterFile | None") -> None:
    dropped = 0
    with Steps("dropping", total) as progress:
        for jobs in letters.read_letters(session.store, span):
            if out is not None:
                out.write(jobs)
            for moved in letters.purge_seen(session.store, jobs, session.settings.retention_seconds):
                if moved.answer == "purged":
                    dropped += 1
                else:
                    progress.say(f"{moved.job_id}: kept: {why_not(moved)}")
            session.so_far = f"dropped {dropped} of {counted(total, 'dead letter')}"
            progress.reach(dropped)
    say(f"dropped {counted(dropped, 'dead letter')}")


class LetterFile:
    """A file to which letters are added; when `write` returns, they are on the disk."""

    def __init__(self, out: BinaryIO, path: Path) -> None:
        self._out = out
        form = FORMATS.get(path.suffix.lower(), "jsonl")
        self._writer = LetterWriter(out, form, header=out.tell() == 0)

    def write(self, jobs: Sequence[Job]) -> None:
        """Add letters."""
        for job in jobs:
            self._writer.write(job)
        self._out.flush()
        os.fsync(self._out.fileno())


@contextlib.contextmanager
def _appended(path: Path) -> Iterator[LetterFile]:
    """Open a file to add to it, nobody else at the same time; behind a row that was cut off, a new line begins."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise click.UsageError(message) from None
    with os.fdopen(descriptor, "ab+") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = f"{path}: another prune writes there now"
            raise click.UsageError(message) from None
        size = out.seek(0, os.SEEK_END)
        if size:
            out.seek(size - 1)
            if out.read(1) != b"\n":
                out.write(b"\n")
            out.seek(0, os.SEEK_END)
        else:
            _sync_folder(path)
        yield LetterFile(out, path)


def _sync_folder(path: Path) -> None:
    """Make sure that the file itself is still there after a loss of power."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
