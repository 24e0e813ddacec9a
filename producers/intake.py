"""Rows on their way in: numbered, checked, made into orders batch by batch; the part that both producers share."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from lanes.errors import RedisUnavailableError
from lanes.order import Accepted, Order
from lanes.settings import Settings
from producers.errors import IdempotencyConflictError, InvalidJobError, Problem
from producers.model import EnqueueOptions
from producers.order import order_for
from producers.receipt import EnqueueReport, Refusal, make_receipt

BATCH = 500
Answers = list[Accepted | Exception]
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


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that were checked and go to Redis together, and the number of the last of them."""

    entries: list[Entry]
    refused: list[Refusal]
    last_row: int

    @property
    def orders(self) -> list[Order]:
        """What Redis gets."""
        return [entry.order for entry in self.entries]


def number_rows(values: Iterable[object], first: int = 1) -> Iterator[Row]:
    """Number rows, by default from 1 on."""
    return (Row(number, value) for number, value in enumerate(values, first))


def check_rows(rows: Sequence[Row], common: EnqueueOptions, settings: Settings) -> Batch:
    """Return the good rows as orders, the others with what is wrong with them."""
    entries: list[Entry] = []
    refused: list[Refusal] = []
    for row in rows:
        if row.problems:
            refused.append(Refusal(row.number, row.problems))
            continue
        try:
            entries.append(Entry(row.number, order_for(settings, row.value, common)))
        except InvalidJobError as error:
            refused.append(Refusal(row.number, error.problems))
    return Batch(entries, refused, rows[-1].number if rows else 0)


def taken(answers: Answers) -> Answers:
    """Return the answers, unless Redis took none of a batch, for a reason that passes: then it may be tried again.

    Raises:
        RedisUnavailableError: what Redis said.
    """
    first = answers[0] if answers else None
    if isinstance(first, RedisUnavailableError) and first.trouble.passes and len(set(map(type, answers))) == 1:
        raise first
    return answers


def note_answers(batch: Batch, answers: Answers, report: EnqueueReport) -> None:
    """Write down in the report what became of a batch.

    Raises:
        RedisUnavailableError: Redis did not take some of it, being full or read-only; the rest is in the report.
    """
    refused = list(batch.refused)
    not_taken: RedisUnavailableError | None = None
    for entry, answer in zip(batch.entries, answers, strict=True):
        if isinstance(answer, RedisUnavailableError):
            not_taken = not_taken or answer
        elif isinstance(answer, Exception):
            refused.append(Refusal(entry.number, (Problem("", "", str(answer)),)))
        else:
            try:
                report.add(make_receipt(entry.order, answer))
            except IdempotencyConflictError as error:
                refused.append(Refusal(entry.number, (Problem("_options.idempotency_key", "", str(error)),)))
    report.refused += sorted(refused, key=lambda refusal: refusal.row)
    if not_taken is not None:
        raise not_taken
    report.last_row = batch.last_row


def batches(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """Cut an iterable of any length into lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
