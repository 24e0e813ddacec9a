"""The way in for Celery clients that do not have this package: `producers.enqueue`."""

from dataclasses import replace
from typing import Any

from celery import Task
from celery.worker.request import Request

from lanes.settings import Settings
from lanes.store import LaneStore
from producers.intake import Entry, check_rows, note_answers, number_rows
from producers.model import EnqueueOptions
from producers.receipt import EnqueueReport


class EnqueueRequest(Request):  # type: ignore[misc]
    """A message whose arguments are bodies: no event, log line or page shows them."""

    @property
    def argsrepr(self) -> str:
        """Instead of the arguments."""
        return "(...)"

    @property
    def kwargsrepr(self) -> str:
        """Instead of the arguments."""
        return "{...}"


class EnqueueTask(Task):  # type: ignore[misc]
    """The base of `producers.enqueue`."""

    Request = EnqueueRequest


def enqueue_rows(store: LaneStore, settings: Settings, task_id: str, rows: Any) -> dict[str, Any]:
    """Enqueue one row (an object with the body's own field names, options under `_options`) or a list of them.

    The ids are made from the task's, so that a message that is delivered twice makes no second job.

    Returns:
        `accepted`, `duplicates` (counts), `job_ids`, and `refused` (one line a row).
    """
    rows = rows if isinstance(rows, list) else [rows]
    batch = check_rows(list(number_rows(rows)), EnqueueOptions(), settings)
    entries = [
        Entry(entry.number, replace(entry.order, id=task_id if len(rows) == 1 else f"{task_id}-{entry.number}"))
        for entry in batch.entries
    ]
    batch = replace(batch, entries=entries)
    report = EnqueueReport()
    note_answers(batch, store.enqueue_many(batch.orders, settings.idempotency_seconds), report)
    return {
        "accepted": report.accepted,
        "duplicates": report.duplicates,
        "job_ids": report.job_ids,
        "refused": [str(refusal) for refusal in report.refused],
    }
