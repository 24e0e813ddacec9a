"""The way in for Celery clients that do not have this package: `producers.enqueue`."""

from collections.abc import Mapping
from typing import Any

from celery import Task
from celery.worker.request import Request

from lanes.settings import Settings
from lanes.store import LaneStore
from producers.errors import InvalidJobError
from producers.order import make_order
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
    report = EnqueueReport()
    orders = []
    for number, row in enumerate(rows, 1):
        job_id = task_id if len(rows) == 1 else f"{task_id}-{number}"
        try:
            row_ = row if isinstance(row, Mapping) else {"": row}
            orders.append((number, make_order(row_, service=settings.service, job_id=job_id)))
        except InvalidJobError as error:
            report.refuse(number, error)
    answers = store.enqueue_many([order for _, order in orders], settings.idempotency_seconds)
    for (number, order), answer in zip(orders, answers, strict=True):
        report.note(number, order, answer)
    return {
        "accepted": report.accepted,
        "duplicates": report.duplicates,
        "job_ids": report.job_ids,
        "refused": [str(refusal) for refusal in report.refused],
    }
