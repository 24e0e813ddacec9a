"""The way in for Celery clients that do not have this package: `producers.enqueue`."""

from dataclasses import replace
from typing import Any

import structlog
from celery import Task
from celery.exceptions import Reject
from celery.worker.request import Request

from lanes.enqueueing import Terms
from lanes.errors import NotDurableError, RedisUnavailableError
from lanes.settings import Settings
from lanes.store import LaneStore
from producers.insistence import Insistence
from producers.intake import Batch, Entry, Row, batches, check_rows, note_answers, number_rows, taken
from producers.model import EnqueueOptions
from producers.order import check_job_id
from producers.producer import durability_for
from producers.receipt import EnqueueReport

log = structlog.get_logger()


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


def enqueue_rows(
    store: LaneStore, settings: Settings, task_id: str, rows: Any, durability: str | None = None
) -> dict[str, Any]:
    """Enqueue one row (an object with the body's own field names, options under `_options`) or a list of them.

    The ids are made from the task's, so that a message that is delivered twice makes no second job.

    Returns:
        `accepted`, `duplicates` (counts), `job_ids`, and `refused` (one line a row).

    Raises:
        InvalidJobError: the id of the task cannot be that of a job, or `durability` is none.
        Reject: Redis does not take the rows now; the message goes back to its queue.
    """
    check_job_id(task_id)
    asked = durability_for(settings, durability)
    rows = rows if isinstance(rows, list) else [rows]
    report = EnqueueReport()
    for some in batches(number_rows(rows)):
        batch = _named(some, task_id, settings, alone=len(rows) == 1)
        orders, insistence = batch.orders, Insistence(settings.enqueue_timeout_seconds)

        def attempt(seconds: float, orders: Any = orders) -> Any:
            return taken(store.enqueue_many(orders, settings.idempotency_seconds, Terms(asked, seconds)))

        try:
            note_answers(batch, insistence.run(attempt), report)
        except NotDurableError as error:
            note_answers(batch, error.answers, report)
            log.warning("enqueued_less_safe", task=task_id, durability=str(asked), error=str(error))
        except RedisUnavailableError as error:
            log.warning("enqueue_delayed", task=task_id, error=str(error))
            raise Reject(str(error), requeue=True) from error
    return {
        "accepted": report.accepted,
        "duplicates": report.duplicates,
        "job_ids": report.job_ids,
        "refused": [str(refusal) for refusal in report.refused],
    }


def _named(rows: list[Row], task_id: str, settings: Settings, *, alone: bool) -> Batch:
    """Check rows, and give each an id that is made of the task's."""
    batch = check_rows(rows, EnqueueOptions(), settings)
    entries = [
        Entry(entry.number, replace(entry.order, id=task_id if alone else f"{task_id}-{entry.number}"))
        for entry in batch.entries
    ]
    return replace(batch, entries=entries)
