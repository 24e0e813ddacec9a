"""`lanes dead import`: what was exported is a dead letter again."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import click

from lanes.dead_letters import operations
from lanes.printable import printable
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import State
from ops.command.console import examples, pluralize, print_json, say
from ops.command.dead_bulk import why_not
from ops.command.enqueue import guess, opened
from ops.command.failures import Interrupted, Refused
from ops.command.progress import Steps
from ops.command.session import Session, connected
from producers.batching import batched
from producers.errors import InvalidJobError
from producers.files.dead_letters import read_dead_letter
from producers.files.rows import FileRow, Format, read_rows


@dataclass(slots=True)
class ImportResult:
    """What became of the rows. `letters` counts the good ones of a dry run."""

    name: str
    progress: Steps
    rows: int = 0
    letters: int = 0
    restored: int = 0
    known: Counter[str] = field(default_factory=Counter)
    replayed: int = 0

    def read(self, rows: list[FileRow]) -> list[DeadLetter]:
        """Return the letters of a batch; wrong rows are told."""
        found = []
        for row in rows:
            try:
                found.append(read_dead_letter(row))
            except InvalidJobError as error:
                self.progress.reject(f"{printable(self.name)}:{row.number}: {printable(error)}")
        self.rows += len(rows)
        self.letters += len(found)
        return found

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        counts = {name: getattr(self, name) for name in ("rows", "restored", "replayed")}
        return {**counts, "refused": self.progress.rejected, "known": dict(self.known)}


@click.command(
    "import",
    epilog=examples(
        "lanes dead import dead.jsonl",
        "lanes dead import dropped.csv --dry-run",
        "lanes dead import dead.jsonl --replay",
    ),
)
@click.argument("file", metavar="FILE|-", type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True))
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), help="By default as the extension says.")
@click.option("--replay", is_flag=True, help="Send them at once: each joins its lane.")
@click.option("--force", is_flag=True, help="With --replay: replay even if it overwrites something newer.")
@click.option("--dry-run", is_flag=True, help="Check every row and change nothing.")
@click.option("--max-errors", type=click.IntRange(0), default=20, show_default=True, help="Refusals to print.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of the rows as JSON.")
@connected
def import_(session: Session, file: str, *, form: Format | None, as_json: bool, max_errors: int, **given: Any) -> None:
    """Put the letters of FILE, or of stdin (-), back: rows as lanes dead export and lanes dead prune write them.

    They keep their ids, times and attempts. A row whose job is there already changes nothing, so that the same file may
    be imported twice, and again after an interruption; a delivered or cancelled job is known for
    LANES_RETENTION_SECONDS. What a purge gave up comes back.
    """
    if given["force"] and not given["replay"]:
        raise click.UsageError("--force goes with --replay")
    form = form or guess(file)
    session.store  # noqa: B018 - a Redis that is away is told before anything is read
    if not given["dry_run"]:
        session.log_change("import", "stdin" if file == "-" else file, "and replay" if given["replay"] else "")
    with opened(file) as source, Steps("importing", None, max_rejected=max_errors) as progress:
        done = ImportResult("stdin" if file == "-" else file, progress)
        try:
            _import_all(session, done, source, form, **given)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted: {session.so_far}; to go on, run the same command again") from None
    if as_json:
        print_json(done.as_json())
    _conclude(done, dry_run=given["dry_run"], replay=given["replay"])
    if done.progress.rejected:
        raise click.exceptions.Exit(Refused.exit_code)


def _import_all(
    session: Session, done: ImportResult, source: BinaryIO, form: Format, *, dry_run: bool, replay: bool, force: bool
) -> None:
    for rows in batched(read_rows(source, form)):
        found = done.read(rows)
        if found and not dry_run:
            ours = []
            for moved in operations.restore(session.store, found):
                if moved.answer == "restored":
                    done.restored += 1
                else:
                    done.known[moved.answer] += 1
                if moved.answer in ("restored", State.DEAD, State.EXPIRED):
                    ours.append(moved.job_id)
            for moved in operations.replay(session.store, ours, force=force) if replay and ours else ():
                if moved.answer == "replayed":
                    done.replayed += 1
                else:
                    done.progress.reject(f"{moved.job_id}: {why_not(moved)}")
            session.so_far = f"{pluralize(done.restored, 'dead letter')} imported, {done.replayed} replayed"
        done.progress.update(done.rows)


def _conclude(done: ImportResult, *, dry_run: bool, replay: bool) -> None:
    if dry_run:
        say(f"{done.letters} of {pluralize(done.rows, 'row')} would be imported; nothing was changed")
        return
    known = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in sorted(done.known.items()))
    say(
        f"imported {pluralize(done.restored, 'dead letter')} of {pluralize(done.rows, 'row')}"
        + (f", replayed {done.replayed}" if replay else "")
        + (f"; there already: {known}" if known else "")
        + (f"; {rejected} refused" if (rejected := done.progress.rejected) else "")
    )
