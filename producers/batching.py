"""Numbers and validates rows in batches, and records their results; shared by both producers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from lanes.errors import OverQuotaError, RedisUnavailableError
from lanes.queue.enqueueing import JOBS_PER_CALL, split_into_calls
from lanes.queue.new_job import EnqueueResult, EnqueueStatus, NewJob, NotDurableError
from lanes.settings import ProducerSettings
from producers.errors import IdempotencyConflictError, InvalidJobError, QuotaError
from producers.model import EnqueueOptions, shorten
from producers.new_job import new_job_for
from producers.receipt import EnqueueReport, FieldError, Receipt, RejectedRow

BATCH = 500
BatchResults = list[EnqueueResult | Exception]
Item = TypeVar("Item")


@dataclass(slots=True)
class InputRow:
    """One row: its number for messages, and a model or a mapping, or the errors that prevent one."""

    number: int
    value: object
    field_errors: tuple[FieldError, ...] = ()


@dataclass(slots=True)
class ValidRow:
    """A valid row and its job."""

    number: int
    new_job: NewJob


@dataclass(frozen=True, slots=True)
class Batch:
    """Validated rows that are sent to Redis together; `last_row` is the number of the last one."""

    valid_rows: list[ValidRow]
    refused: list[RejectedRow]
    last_row: int

    @property
    def new_jobs(self) -> list[NewJob]:
        """The jobs of the valid rows."""
        return [row.new_job for row in self.valid_rows]


def number_rows(values: Iterable[object], first: int = 1) -> Iterator[InputRow]:
    """Number rows."""
    return (InputRow(number, value) for number, value in enumerate(values, first))


class BatchCheck:
    """The rows of a batch, each validated when the call of the script with its job is made."""

    def __init__(self, rows: Sequence[InputRow], common: EnqueueOptions, settings: ProducerSettings) -> None:
        self.batch = Batch([], [], rows[-1].number if rows else 0)
        self._rows = rows
        self._checked = 0
        self._common = common
        self._settings = settings

    def calls(self) -> Iterator[Sequence[NewJob]]:
        """Yield the jobs of each call. After a retry it yields the same jobs again."""
        yield from split_into_calls(self.batch.new_jobs)
        while self._checked < len(self._rows):
            before = len(self.batch.valid_rows)
            self._check(JOBS_PER_CALL)
            if valid_rows := self.batch.valid_rows[before:]:
                yield [row.new_job for row in valid_rows]

    def _check(self, count: int) -> None:
        """Validate the next rows."""
        rows = self._rows[self._checked : self._checked + count]
        self._checked += len(rows)
        for row in rows:
            if row.field_errors:
                self.batch.refused.append(RejectedRow(row.number, row.field_errors))
                continue
            try:
                self.batch.valid_rows.append(ValidRow(row.number, new_job_for(self._settings, row.value, self._common)))
            except InvalidJobError as error:
                self.batch.refused.append(RejectedRow(row.number, error.field_errors))

    def all(self) -> Batch:
        """Validate all rows, and return the jobs of the valid ones and the errors of the others."""
        self._check(len(self._rows))
        return self.batch


def check_rows(rows: Sequence[InputRow], common: EnqueueOptions, settings: ProducerSettings) -> Batch:
    """Return the jobs of the valid rows, and the errors of the others."""
    return BatchCheck(rows, common, settings).all()


def raise_if_unavailable(answers: BatchResults) -> BatchResults:
    """Return the answers. If Redis accepted nothing, for a transient reason, raise it, so that the batch is retried.

    Raises:
        RedisUnavailableError: the answer of Redis.
    """
    first = answers[0] if answers else None
    if isinstance(first, RedisUnavailableError) and first.trouble.is_transient and len(set(map(type, answers))) == 1:
        raise first
    return answers


def record_results(batch: Batch, answers: BatchResults, report: EnqueueReport) -> None:
    """Add the results of a batch to the report.

    Raises:
        RedisUnavailableError: Redis is full or read-only and refused some rows; the others are in the report.
    """
    refused = list(batch.refused)
    unavailable: RedisUnavailableError | None = None
    for entry, answer in zip(batch.valid_rows, answers, strict=True):
        if isinstance(answer, RedisUnavailableError):
            unavailable = unavailable or answer
        elif isinstance(answer, OverQuotaError):
            refused.append(_over_quota(entry, answer))
        elif isinstance(answer, Exception):
            refused.append(RejectedRow(entry.number, (FieldError("", "", str(answer)),), broken=answer))
        else:
            try:
                report.add(make_receipt(entry.new_job, answer))
            except IdempotencyConflictError as error:
                message = f"was used for another body, by job {error.job_id}: use a new key"
                field_error = FieldError("_options.idempotency_key", shorten(error.key), message)
                refused.append(RejectedRow(entry.number, (field_error,)))
    report.refused += sorted(refused, key=lambda rejected: rejected.row)
    if unavailable is not None:
        raise unavailable
    report.last_row = batch.last_row


def _over_quota(entry: ValidRow, answer: OverQuotaError) -> RejectedRow:
    """Return a row that is refused because it, or an earlier row of another service, is over a quota."""
    quota, again = f"{answer.quota}={answer.limit}", f"try again in {answer.retry_after:g} s"
    field_error = FieldError("_options.service", shorten(answer.service), f"is over its quota {quota}: {again}")
    if entry.new_job.service != answer.service:
        message = f"an earlier row is over the quota {quota} of the service {answer.service}: {again}"
        field_error = FieldError("", "", message)
    return RejectedRow(entry.number, (field_error,), QuotaError.of(answer))


def make_receipt(new_job: NewJob, answer: EnqueueResult) -> Receipt:
    """Return the receipt of a job.

    Raises:
        IdempotencyConflictError: its idempotency key was used for another body.
    """
    if answer.status is EnqueueStatus.CONFLICT:
        raise IdempotencyConflictError(new_job.idempotency_key or "", answer.id)
    return Receipt(
        answer.id,
        new_job.location_id,
        duplicate=answer.id != new_job.id,
        forgotten=answer.status is EnqueueStatus.FORGOTTEN,
    )


def receipt_of(new_job: NewJob, error: NotDurableError) -> Receipt:
    """Return the receipt of a job that was accepted with less durability than requested.

    Raises:
        IdempotencyConflictError: its idempotency key was used for another body.
    """
    answer = error.answers[0]
    if isinstance(answer, Exception):
        raise answer
    return make_receipt(new_job, answer)


def batched(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """Split an iterable into lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
