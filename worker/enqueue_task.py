"""`producers.enqueue`: the task for Celery clients that do not have this package."""

from dataclasses import replace
from typing import Any

import structlog
from celery.exceptions import Reject
from celery.worker.request import Request

from lanes.errors import RedisUnavailableError
from lanes.queue.enqueueing import DurabilityPolicy
from lanes.queue.new_job import NotDurableError
from lanes.queue.store import LaneStore
from lanes.settings import ProducerSettings
from producers.batching import (
    Batch,
    InputRow,
    ValidRow,
    batched,
    check_rows,
    number_rows,
    raise_if_unavailable,
    record_results,
)
from producers.model import EnqueueOptions
from producers.new_job import check_job_id
from producers.producer import durability_for
from producers.receipt import EnqueueReport
from producers.retry import RetryBudget

log = structlog.get_logger()


class EnqueueRequest(Request):  # type: ignore[misc]
    """A message whose arguments are bodies: no event, log line or page shows them."""

    argsrepr = property(lambda _: "(...)")
    kwargsrepr = property(lambda _: "{...}")


def enqueue_rows(
    store: LaneStore, settings: ProducerSettings, task_id: str, rows: Any, durability: str | None = None
) -> dict[str, Any]:
    """Enqueue one row (an object with the body's own field names, options under `_options`) or a list of rows.

    Job ids are derived from the task id, so a message that is delivered twice makes no second job.

    Returns:
        `accepted` and `duplicates` (counts), `job_ids`, and `refused` (one line for each row).

    Raises:
        InvalidJobError: the task id is not a valid job id, or `durability` is unknown.
        Reject: Redis is unavailable; the message goes back to its queue.
    """
    check_job_id(task_id)
    asked = durability_for(settings, durability)
    rows = rows if isinstance(rows, list) else [rows]
    report = EnqueueReport()
    for some in batched(number_rows(rows)):
        batch = _with_task_ids(some, task_id, settings, alone=len(rows) == 1)
        new_jobs, budget = batch.new_jobs, RetryBudget(settings.enqueue_timeout_seconds)

        def attempt(seconds: float, new_jobs: Any = new_jobs) -> Any:
            return raise_if_unavailable(
                store.enqueue_many(new_jobs, settings.idempotency_seconds, DurabilityPolicy(asked, seconds))
            )

        try:
            record_results(batch, budget.run(attempt), report)
        except NotDurableError as error:
            record_results(batch, error.answers, report)
            log.warning("enqueued_below_durability", task=task_id, durability=str(asked), error=str(error))
        except RedisUnavailableError as error:
            log.warning("enqueue_delayed", task=task_id, error=str(error))
            raise Reject(str(error), requeue=True) from error
    return {
        "accepted": report.accepted,
        "duplicates": report.duplicates,
        "job_ids": report.job_ids,
        "refused": [str(row) for row in report.refused],
    }


def _with_task_ids(rows: list[InputRow], task_id: str, settings: ProducerSettings, *, alone: bool) -> Batch:
    batch = check_rows(rows, EnqueueOptions(), settings)
    valid_rows = [
        ValidRow(entry.number, replace(entry.new_job, id=task_id if alone else f"{task_id}-{entry.number}"))
        for entry in batch.valid_rows
    ]
    return replace(batch, valid_rows=valid_rows)
