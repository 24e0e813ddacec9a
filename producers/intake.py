"""Rows on their way in: numbered, checked, made into orders batch by batch; the part that both producers share."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from lanes.errors import RedisUnavailableError
from lanes.job import Accepted, Order
from producers.errors import IdempotencyConflictError, InvalidJobError, Problem
from producers.model import EnqueueOptions
from producers.order import make_order
from producers.receipt import EnqueueReport, Refusal, make_receipt

BATCH = 500
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Row:
    """One upsert of many: its number for messages, and a model or a mapping, or what kept it from being one."""

    number: int
    value: object
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A row that passed every check."""

    number: int
    order: Order


def number_rows(values: Iterable[object]) -> Iterator[Row]:
    """Number rows from 1 on."""
    return (Row(number, value) for number, value in enumerate(values, 1))


def check_rows(rows: Iterable[Row], common: EnqueueOptions, service: str | None, report: EnqueueReport) -> list[Entry]:
    """Return the good rows as orders; the others go to the report."""
    entries = []
    for row in rows:
        report.rows += 1
        if row.problems:
            report.refused.append(Refusal(row.number, row.problems))
            continue
        try:
            entries.append(Entry(row.number, make_order(row.value, common, service=service)))
        except InvalidJobError as error:
            report.refused.append(Refusal(row.number, error.problems))
    return entries


def note_answers(entries: Sequence[Entry], answers: Iterable[Accepted | Exception], report: EnqueueReport) -> None:
    """Write down in the report what the lanes answered.

    Raises:
        RedisUnavailableError: Redis did not take some of them, being full or read-only; the others are in the report.
    """
    not_taken: RedisUnavailableError | None = None
    for entry, answer in zip(entries, answers, strict=True):
        if isinstance(answer, RedisUnavailableError):
            not_taken = not_taken or answer
            continue
        if isinstance(answer, Exception):
            report.refused.append(Refusal(entry.number, (Problem("", "", str(answer)),)))
            continue
        try:
            receipt = make_receipt(entry.order, answer)
        except IdempotencyConflictError as error:
            report.refused.append(Refusal(entry.number, (Problem("_options.idempotency_key", "", str(error)),)))
            continue
        report.job_ids.append(receipt.job_id)
        report.accepted += not receipt.duplicate
        report.duplicates += receipt.duplicate
    if not_taken is not None:
        raise not_taken


def batches(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """Cut an iterable of any length into lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
