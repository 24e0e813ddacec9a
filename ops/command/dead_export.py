"""Writes dead letters to files: complete, to be imported, or as rows to be fixed and enqueued."""

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lanes.queue.dead_letter_summary import summarize
from lanes.queue.job import Job
from ops.command.console import pluralize, say
from ops.command.failures import Refused
from ops.command.new_file import new_file
from ops.command.session import Session
from producers.files.dead_letters import DeadLetterWriter
from producers.files.rows import Format
from producers.new_job import OPTIONS_FIELD


def write_dead_letters(session: Session, jobs: Iterable[Job], file: str, form: Format) -> int:
    """Write each dead letter with its attempts; return how many."""
    written = 0
    with _opened(file) as out:
        writer = DeadLetterWriter(out, form)
        for job in _with_bodies(jobs):
            writer.write(job)
            written += 1
            session.so_far = f"exported {pluralize(written, 'dead letter')}"
    return written


def write_rows(session: Session, jobs: Iterable[Job], file: str, reasons_to: str | None) -> int:
    """Write the row of each dead letter, and to `reasons_to`, if given, why it failed; return how many."""
    written = 0
    with _opened(file) as rows, _opened(reasons_to) if reasons_to else contextlib.nullcontext() as reasons:
        for job in _with_bodies(jobs):
            # Without the deadlines, which may be over.
            options = {OPTIONS_FIELD: {"service": job.service}} if job.service else {}
            rows.write(_line({**(job.body or {}), **options}))
            written += 1
            if reasons is not None:
                reasons.write(_line(why(job, written)))
            session.so_far = f"exported {pluralize(written, 'dead letter')}"
    return written


def _with_bodies(jobs: Iterable[Job]) -> Iterator[Job]:
    """Yield those whose bodies can be read; at the end, fail if there were others."""
    left_out = 0
    for job in jobs:
        if job.body is None:
            left_out += 1
            say(f"{job.id}: left out: its body cannot be read")
        else:
            yield job
    if left_out:
        raise Refused(f"{pluralize(left_out, 'dead letter')} left out; lanes check shows what to do")


def why(job: Job, line: int) -> dict[str, Any]:
    """Return why the row on this line failed."""
    return {
        "line": line,
        "id": job.id,
        "location_id": job.location_id,
        "reason": job.reason,
        "attempts": len(job.attempts),
        "answer": summarize(job).answer,
    }


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


@contextlib.contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdout.buffer
        return
    with new_file(Path(file)) as out:
        yield out
