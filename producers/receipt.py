"""What a producer gives back."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from lanes.job import Accepted, Acceptance, Order
from producers.errors import IdempotencyConflictError, InvalidJobError, Problem, ProducerError

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A job that the lanes have: from now on it is not lost. `duplicate` when an earlier enqueue had made it."""

    job_id: str
    location_id: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was not enqueued: its number (the first is 1) and every problem."""

    row: int
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        return f"row {self.row}: " + "; ".join(str(problem) for problem in self.problems)


@dataclass(slots=True)
class EnqueueReport:
    """What became of the rows of one `enqueue_many`. `job_ids` holds those of the rows that went in, in order."""

    accepted: int = 0
    duplicates: int = 0
    job_ids: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def note(self, row: int, order: Order, answer: Accepted | Exception) -> None:
        """Write down what the lanes answered to one row."""
        if isinstance(answer, Exception):
            self.refused.append(Refusal(row, (Problem("", "", str(answer)),)))
            return
        try:
            receipt = make_receipt(order, answer)
        except ProducerError as error:
            self.refused.append(Refusal(row, (Problem("_options.idempotency_key", "", str(error)),)))
            return
        self.job_ids.append(receipt.job_id)
        if receipt.duplicate:
            self.duplicates += 1
        else:
            self.accepted += 1

    def refuse(self, row: int, error: InvalidJobError) -> None:
        """Write down a row that did not pass the checks."""
        self.refused.append(Refusal(row, error.problems))


def make_receipt(order: Order, answer: Accepted) -> Receipt:
    """Return the receipt for an order.

    Raises:
        IdempotencyConflictError: its idempotency key belongs to another body.
    """
    if answer.acceptance is Acceptance.CONFLICT:
        raise IdempotencyConflictError(order.idempotency_key or "", answer.id)
    return Receipt(answer.id, order.location_id, duplicate=answer.id != order.id)


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut an iterable of any length into lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
