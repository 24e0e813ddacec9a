"""`producers.enqueue`: the task for Celery clients that do not have this package."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import structlog
from celery.exceptions import Reject
from celery.worker.request import Request

from lanes.errors import LanesError, RedisUnavailableError
from lanes.queue.enqueueing import DurabilityPolicy, new_bulk, split_into_calls
from lanes.queue.new_job import NotDurableError
from lanes.queue.rejected_task import MAX_ERRORS, MAX_ROWS, RefusedRow, RejectedTask
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
from producers.errors import InvalidJobError
from producers.model import EnqueueOptions, check
from producers.new_job import OPTIONS_FIELD, check_job_id
from producers.producer import durability_for
from producers.receipt import EnqueueReport, FieldError, RejectedRow
from producers.retry import RetryBudget
from worker.metrics.catalogue import NO_SERVICE

log = structlog.get_logger()

MAX_SHOWN = 10  # refused rows in the error of a task


class RejectedRowsError(LanesError):
    """Rows of a task were refused. The message has their numbers, the fields and what is valid, and no value.

    Celery acknowledges the message: it is not delivered again, because its rows stay wrong. Rows over a quota of their
    service are refused, too; the client sends them again later.
    """


class EnqueueRequest(Request):  # type: ignore[misc]
    """A message whose arguments are bodies: no event, log line or page shows them."""

    argsrepr = property(lambda _: "(...)")
    kwargsrepr = property(lambda _: "{...}")

    def send_event(self, event: str, **fields: Any) -> None:
        """Send an event of the task for Flower, without the traceback of a failure."""
        fields.pop("traceback", None)
        super().send_event(event, **fields)


def enqueue_rows(
    store: LaneStore,
    settings: ProducerSettings,
    task_id: str,
    rows: Any,
    durability: str | None = None,
    *,
    unexpected: Sequence[str] = (),
) -> dict[str, Any]:
    """Enqueue one row (an object with the body's own field names, options under `_options`) or a list of rows.

    Job ids are derived from the task id, so a message that is delivered twice makes no second job. `unexpected` names
    arguments that the task does not have: then every row is refused.

    Returns:
        `accepted` and `duplicates` (counts), and `job_ids`.

    Raises:
        RejectedRowsError: rows were refused, and the others are enqueued; or the task id or `durability` is invalid.
        Reject: Redis is unavailable; the message goes back to its queue.
    """
    try:
        check_job_id(task_id)
    except InvalidJobError as error:
        raise RejectedRowsError(f"nothing was enqueued; task id: {error.field_errors[0].message}") from None
    rows = rows if isinstance(rows, list) else [rows]
    try:
        report = _enqueue(store, settings, task_id, rows, durability, unexpected=unexpected)
        if report.refused:
            _reject(store, settings, task_id, rows, report)
    except RedisUnavailableError as error:
        log.warning("enqueue_delayed", task=task_id, error=str(error))
        raise Reject(str(error), requeue=True) from error
    return {"accepted": report.accepted, "duplicates": report.duplicates, "job_ids": report.job_ids}


def _enqueue(
    store: LaneStore,
    settings: ProducerSettings,
    task_id: str,
    rows: list[Any],
    durability: str | None,
    *,
    unexpected: Sequence[str],
) -> EnqueueReport:
    report = EnqueueReport()
    wrong = tuple(
        FieldError(name, "", "is no argument of this task: it takes rows and durability") for name in unexpected
    )
    try:
        asked = durability_for(settings, durability)
    except InvalidJobError as error:
        wrong += tuple(error.field_errors)
    if wrong:
        report.refused = [RejectedRow(number, wrong) for number in range(1, len(rows) + 1)]
        return report
    bulk = new_bulk()
    for some in batched(number_rows(rows)):
        batch = _with_task_ids(some, task_id, settings, alone=len(rows) == 1)
        new_jobs, budget = batch.new_jobs, RetryBudget(settings.enqueue_timeout_seconds)

        def attempt(seconds: float, new_jobs: Any = new_jobs) -> Any:
            return raise_if_unavailable(
                store.enqueue_calls(
                    split_into_calls(new_jobs), settings.idempotency_seconds, DurabilityPolicy(asked, seconds), bulk
                )
            )

        try:
            record_results(batch, budget.run(attempt), report)
        except NotDurableError as error:
            record_results(batch, error.answers, report)
            log.warning("enqueued_below_durability", task=task_id, durability=str(asked), error=str(error))
    return report


def _with_task_ids(rows: list[InputRow], task_id: str, settings: ProducerSettings, *, alone: bool) -> Batch:
    batch = check_rows(rows, EnqueueOptions(), settings)
    valid_rows = [
        ValidRow(entry.number, replace(entry.new_job, id=task_id if alone else f"{task_id}-{entry.number}"))
        for entry in batch.valid_rows
    ]
    return replace(batch, valid_rows=valid_rows)


def _reject(
    store: LaneStore, settings: ProducerSettings, task_id: str, rows: list[Any], report: EnqueueReport
) -> NoReturn:
    """Keep what was refused under the task's id, count and log it, and fail the task.

    If the worker dies before this, the message is delivered again: then no row is enqueued twice, and this is repeated.
    """
    listed = tuple(_without_values(row) for row in report.refused[:MAX_ROWS])
    task = RejectedTask(task_id, len(rows), report.accepted + report.duplicates, listed)
    by_service = Counter(_service_of(rows[refused.row - 1], settings) for refused in report.refused)
    store.reject_rows(task, by_service, settings.retention_seconds)
    services = [service for service, _ in by_service.most_common(MAX_SHOWN)]
    log.warning("rows_refused", task=task_id, rows=task.rows, accepted=task.accepted, services=services)
    raise RejectedRowsError(task.describe(MAX_SHOWN))


def _without_values(refused: RejectedRow) -> RefusedRow:
    return RefusedRow(refused.row, tuple((each.field, each.message) for each in refused.field_errors[:MAX_ERRORS]))


def _service_of(row: object, settings: ProducerSettings) -> str:
    """Return the service of a refused row, if its name is valid; else that of the settings."""
    options = row.get(OPTIONS_FIELD) if isinstance(row, Mapping) else None
    given = options.get("service") if isinstance(options, Mapping) else None
    try:
        service = check(EnqueueOptions, {"service": given}).service
    except InvalidJobError:
        service = None
    return service or settings.service or NO_SERVICE
