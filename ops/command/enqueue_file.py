"""Enqueues or checks the rows of one file, and reports the result row by row."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import click

from lanes.printable import printable
from ops.command.console import pluralize, print_json, say
from ops.command.progress import BytesRead
from ops.command.rejected_rows import RejectedRows
from ops.command.session import Session
from producers import EnqueueOptions, EnqueueReport
from producers.batching import InputRow, batched, check_rows
from producers.files.rows import FieldMapping, FileRow, Format, read_rows
from producers.new_job import OPTIONS_FIELD

MAX_PREVIEW = 5  # rows that a dry run shows


@dataclass(frozen=True, slots=True)
class EnqueuePlan:
    """What to do with a file. `name` stands for it in messages."""

    name: str
    form: Format
    mapping: FieldMapping
    common: EnqueueOptions
    key_prefix: str | None
    from_line: int
    durability: str | None = None


class FileEnqueue:
    """Enqueues a file batch by batch. `report` covers the batches that Redis confirmed.

    `preview` has the first bodies of a dry run. `unreadable`: the file could not be read to its end.
    """

    def __init__(self, session: Session, plan: EnqueuePlan, rejected_rows: RejectedRows, progress: BytesRead) -> None:
        self.report = EnqueueReport()
        self.preview: list[object] = []
        self._session = session
        self._plan = plan
        self._rejected_rows = rejected_rows
        self._progress = progress
        self._reported = 0
        self.unreadable = False
        self._unit = "line"
        self._rows_read: dict[int, FileRow] = {}  # of the current batch

    def enqueue(self, source: BinaryIO) -> None:
        """Enqueue every valid row."""
        options = self._plan.common.model_dump(exclude_none=True)
        self._session.producer.enqueue_rows(
            self._rows(source), progress=self._report_batch, durability=self._plan.durability, **options
        )

    def check(self, source: BinaryIO) -> None:
        """Check every row; `accepted` counts those that would be enqueued."""
        for rows in batched(self._rows(source)):
            batch = check_rows(rows, self._plan.common, self._session.settings)
            self.report.accepted += len(batch.valid_rows)
            self.report.refused += batch.refused
            self.report.last_row = batch.last_row
            self.preview += [json.loads(job.body) for job in batch.new_jobs[: MAX_PREVIEW - len(self.preview)]]
            self._report_batch(self.report)

    def how_to_continue(self) -> str:
        """Return what was accepted before an interruption, and how to enqueue the rest."""
        done = f"{pluralize(self.report.accepted + self.report.duplicates, 'row')} accepted"
        if self.report.last_row:
            done += f", {self._unit}s 1 to {self.report.last_row} done"
        if self._plan.key_prefix is not None:
            return f"{done}; to continue, run the same command again: accepted rows count as duplicates"
        return (
            f"{done}; to continue, add --from-line {self.report.last_row + 1}; later rows may have been accepted "
            "already and would be sent twice (next time use --idempotency-prefix)"
        )

    def _rows(self, source: BinaryIO) -> Iterator[InputRow]:
        for row in read_rows(source, self._plan.form, self._plan.mapping, self._rejected_rows.copy):
            self._rejected_rows.add(row)
            if row.number >= self._plan.from_line or row.unreadable:
                self.unreadable = row.unreadable
                self._unit = "line" if row.array_line is None else "element"
                self._rows_read[row.number] = row
                yield _with_key(row, self._plan.key_prefix)

    def _report_batch(self, report: EnqueueReport) -> None:
        """Show the result of a batch, and copy its refused rows."""
        self.report = report
        new = report.refused[self._reported :]
        self._reported += len(new)
        self._rejected_rows.write_rejected((rejected.row for rejected in new), report.last_row)
        self._progress.show_bytes(f"{pluralize(report.accepted, 'row')} accepted, {len(report.refused)} refused")
        for rejected in new:
            problems = printable("; ".join(map(str, rejected.field_errors)))
            self._progress.reject(f"{printable(self._plan.name)}:{self._rows_read[rejected.row].where}: {problems}")
        self._rows_read.clear()


def conclude(file_enqueue: FileEnqueue, *, as_json: bool, ids: bool, dry_run: bool) -> None:
    """Print the result: data to stdout, a summary to stderr."""
    report = file_enqueue.report
    if as_json:
        preview = {"dry_run": True, "preview": file_enqueue.preview} if dry_run else {}
        print_json({**_summary(report, ids=ids), **preview})
    elif dry_run:
        for body in file_enqueue.preview:
            print_json(body)
    elif ids:
        for job_id in report.job_ids:
            click.echo(job_id)
    verb = "would be accepted" if dry_run else "accepted"
    known = f", {pluralize(report.duplicates, 'duplicate')}" if report.duplicates else ""
    ending = ""
    if file_enqueue.unreadable:
        ending = "; the file could not be read any further" if report.rows > 1 else "; nothing of the file was read"
    say(f"{report.accepted} of {pluralize(report.rows, 'row')} {verb}{known}, {len(report.refused)} refused{ending}")


def _summary(report: EnqueueReport, *, ids: bool) -> dict[str, Any]:
    return {
        "rows": report.rows,
        "accepted": report.accepted,
        "duplicates": report.duplicates,
        "refused": [{"row": each.row, "problems": list(map(asdict, each.field_errors))} for each in report.refused],
        **({"ids": report.job_ids} if ids else {}),
    }


def _with_key(row: FileRow, prefix: str | None) -> InputRow:
    """Return the row with a key made of its line number, unless it has its own or is invalid."""
    if prefix is None or row.field_errors or not isinstance(row.value, Mapping):
        return row
    options = row.value.get(OPTIONS_FIELD)
    options = {} if options is None else options
    if not isinstance(options, Mapping) or options.get("idempotency_key") is not None:
        return row
    keyed = {**options, "idempotency_key": f"{prefix}-{row.number}"}
    return InputRow(row.number, {**row.value, OPTIONS_FIELD: keyed})
