"""`lanes dead import`: restores exported dead letters."""

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
from ops.command.failures import Interrupted, Refused
from ops.command.progress import Steps
from ops.command.row_files import input_file, input_format, opened
from ops.command.session import Session, connected
from producers.batching import batched
from producers.errors import InvalidJobError
from producers.files.dead_letters import DEAD_LETTER_COLUMNS, read_dead_letter
from producers.files.rows import FileRow, Format, read_rows


@dataclass(slots=True)
class ImportResult:
    """The result so far. `valid` counts the valid rows, `known` the jobs that existed already, by state."""

    name: str
    progress: Steps
    rows: int = 0
    valid: int = 0
    restored: int = 0
    known: Counter[str] = field(default_factory=Counter)
    replayed: int = 0

    def read(self, rows: list[FileRow]) -> list[DeadLetter]:
        """Return the dead letters of a batch; invalid rows are reported."""
        found = []
        for row in rows:
            try:
                found.append(read_dead_letter(row))
            except InvalidJobError as error:
                self.progress.reject(f"{printable(self.name)}:{row.where}: {printable(error)}")
        self.rows += len(rows)
        self.valid += len(found)
        return found


@click.command(
    "import",
    epilog=examples("lanes dead import dead.jsonl --replay", "lanes dead import dropped.csv --dry-run"),
)
@input_file
@click.option("--replay", is_flag=True, help="Also replay them: each goes into its lane.")
@click.option("--force", is_flag=True, help="With --replay: replay even if that overwrites what a newer job delivered.")
@click.option("--dry-run", is_flag=True, help="Check every row and change nothing.")
@click.option("--max-errors", type=click.IntRange(0), default=20, show_default=True, help="Errors to print.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@connected
def import_(session: Session, file: str, *, form: Format | None, as_json: bool, max_errors: int, **given: Any) -> None:
    """Restore the dead letters of FILE, or of stdin (-), as lanes dead export and lanes dead prune wrote them.

    They keep their ids, times and attempts. Existing jobs are left unchanged, so you may import a file twice, or again
    after an interruption. Purged dead letters come back. Delivered and cancelled jobs are recognized for
    LANES_RETENTION_SECONDS only.
    """
    if given["force"] and not given["replay"]:
        raise click.UsageError("--force goes with --replay")
    form = form or input_format(file)
    name = "stdin" if file == "-" else file
    session.store  # noqa: B018 - report an unreachable Redis before anything is read
    if not given["dry_run"]:
        session.log_change("import", name, "and replay" if given["replay"] else "")
    with opened(file) as source, Steps("importing", None, max_rejected=max_errors) as progress:
        done = ImportResult(name, progress)
        try:
            _import_all(session, done, source, form, **given)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted: {session.so_far}; to continue, run the same command again") from None
    if as_json:
        counts = {"rows": done.rows, "restored": done.restored, "replayed": done.replayed}
        print_json({**counts, "refused": progress.rejected, "known": dict(done.known)})
    _conclude(done, dry_run=given["dry_run"], replay=given["replay"])
    if done.progress.rejected:
        raise click.exceptions.Exit(Refused.exit_code)


def _import_all(
    session: Session, done: ImportResult, source: BinaryIO, form: Format, *, dry_run: bool, replay: bool, force: bool
) -> None:
    for rows in batched(read_rows(source, form, DEAD_LETTER_COLUMNS)):
        found = done.read(rows)
        if found and not dry_run:
            dead = []
            for result in operations.restore(session.store, found):
                if result.answer == "restored":
                    done.restored += 1
                else:
                    done.known[result.answer] += 1
                if result.answer in ("restored", State.DEAD, State.EXPIRED):
                    dead.append(result.job_id)
            for result in operations.replay(session.store, dead, force=force) if replay and dead else ():
                if result.answer == "replayed":
                    done.replayed += 1
                else:
                    done.progress.reject(f"{result.job_id}: {why_not(result)}")
            session.so_far = f"{pluralize(done.restored, 'dead letter')} imported, {done.replayed} replayed"
        done.progress.update(done.rows)


def _conclude(done: ImportResult, *, dry_run: bool, replay: bool) -> None:
    if dry_run:
        say(f"{done.valid} of {pluralize(done.rows, 'row')} would be imported; nothing was changed")
        return
    known = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in sorted(done.known.items()))
    say(
        f"imported {pluralize(done.restored, 'dead letter')} of {pluralize(done.rows, 'row')}"
        + (f", replayed {done.replayed}" if replay else "")
        + (f"; already known: {known}" if known else "")
        + (f"; {rejected} refused" if (rejected := done.progress.rejected) else "")
    )
