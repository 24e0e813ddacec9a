"""Rows on their way in: numbered, checked, made into orders batch by batch; the part that both producers share."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from lanes.errors import RedisUnavailableError
from lanes.queue.new_job import EnqueueResult, EnqueueStatus, NewJob, NotDurableError
from lanes.settings import ProducerSettings
from producers.errors import IdempotencyConflictError, InvalidJobError
from producers.model import EnqueueOptions
from producers.new_job import new_job_for
from producers.receipt import EnqueueReport, FieldError, Receipt, RejectedRow

BATCH = 500
BatchResults = list[EnqueueResult | Exception]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class InputRow:
    """One upsert of many: its number for messages, and a model or a mapping, or what kept it from being one."""

    number: int
    value: object
    field_errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class ValidRow:
    """A row that passed every check."""

    number: int
    new_job: NewJob


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that were checked and go to Redis together, and the number of the last of them."""

    valid_rows: list[ValidRow]
    refused: list[RejectedRow]
    last_row: int

    @property
    def new_jobs(self) -> list[NewJob]:
        """What Redis gets."""
        return [entry.new_job for entry in self.valid_rows]


def number_rows(values: Iterable[object], first: int = 1) -> Iterator[InputRow]:
    """Number rows, by default from 1 on."""
    return (InputRow(number, value) for number, value in enumerate(values, first))


def check_rows(rows: Sequence[InputRow], common: EnqueueOptions, settings: ProducerSettings) -> Batch:
    """Return the good rows as orders, the others with what is wrong with them."""
    valid_rows: list[ValidRow] = []
    refused: list[RejectedRow] = []
    for row in rows:
        if row.field_errors:
            refused.append(RejectedRow(row.number, row.field_errors))
            continue
        try:
            valid_rows.append(ValidRow(row.number, new_job_for(settings, row.value, common)))
        except InvalidJobError as error:
            refused.append(RejectedRow(row.number, error.field_errors))
    return Batch(valid_rows, refused, rows[-1].number if rows else 0)


def raise_if_unavailable(answers: BatchResults) -> BatchResults:
    """Return the answers, unless Redis took none of a batch, for a reason that passes: then it may be tried again.

    Raises:
        RedisUnavailableError: what Redis said.
    """
    first = answers[0] if answers else None
    if isinstance(first, RedisUnavailableError) and first.trouble.is_transient and len(set(map(type, answers))) == 1:
        raise first
    return answers


def record_results(batch: Batch, answers: BatchResults, report: EnqueueReport) -> None:
    """Write down in the report what became of a batch.

    Raises:
        RedisUnavailableError: Redis did not take some of it, being full or read-only; the rest is in the report.
    """
    refused = list(batch.refused)
    unavailable: RedisUnavailableError | None = None
    for entry, answer in zip(batch.valid_rows, answers, strict=True):
        if isinstance(answer, RedisUnavailableError):
            unavailable = unavailable or answer
        elif isinstance(answer, Exception):
            refused.append(RejectedRow(entry.number, (FieldError("", "", str(answer)),)))
        else:
            try:
                report.add(make_receipt(entry.new_job, answer))
            except IdempotencyConflictError as error:
                refused.append(RejectedRow(entry.number, (FieldError("_options.idempotency_key", "", str(error)),)))
    report.refused += sorted(refused, key=lambda rejected: rejected.row)
    if unavailable is not None:
        raise unavailable
    report.last_row = batch.last_row


def make_receipt(new_job: NewJob, answer: EnqueueResult) -> Receipt:
    """Return the receipt for an order.

    Raises:
        IdempotencyConflictError: its idempotency key belongs to another body.
    """
    if answer.status is EnqueueStatus.CONFLICT:
        raise IdempotencyConflictError(new_job.idempotency_key or "", answer.id)
    return Receipt(answer.id, new_job.location_id, duplicate=answer.id != new_job.id)


def receipt_of(new_job: NewJob, error: NotDurableError) -> Receipt:
    """Return the receipt for an order that was accepted with less safety than was asked.

    Raises:
        IdempotencyConflictError: its idempotency key belongs to another body.
    """
    answer = error.answers[0]
    if isinstance(answer, Exception):
        raise answer
    return make_receipt(new_job, answer)


def batched(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """Cut an iterable of any length into lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
