"""What a producer gives back."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Receipt:
    """A job that the lanes have: from now on it is not lost.

    `duplicate` when it is that of an earlier enqueue with the same idempotency key. (What is enqueued under its own
    `job_id` once more is no duplicate: it is the same enqueue, insisted on.)
    """

    job_id: str
    location_id: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a job: the field, its value shortened to one line, and what would be right."""

    field: str
    value: str
    message: str

    def __str__(self) -> str:
        shown = f" (it is {self.value})" if self.value else ""
        return f"{self.field}: {self.message}{shown}" if self.field else f"{self.message}{shown}"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not enqueued: its number (the first is 1) and every problem."""

    row: int
    field_errors: tuple[FieldError, ...]

    def __str__(self) -> str:
        return f"row {self.row}: " + "; ".join(str(problem) for problem in self.field_errors)


@dataclass(slots=True)
class EnqueueReport:
    """What became of many rows: how many were accepted, known already, and refused, each with its problems.

    `job_ids` holds those of the accepted and the known rows, in order. `last_row` is the number of the newest row of
    which it and every row before it are in the report.
    """

    accepted: int = 0
    duplicates: int = 0
    job_ids: list[str] = field(default_factory=list)
    refused: list[RejectedRow] = field(default_factory=list)
    last_row: int = 0

    @property
    def rows(self) -> int:
        """How many rows are in the report."""
        return self.accepted + self.duplicates + len(self.refused)

    def add(self, receipt: Receipt) -> None:
        """Write down a row that the lanes have."""
        self.job_ids.append(receipt.job_id)
        self.accepted += not receipt.duplicate
        self.duplicates += receipt.duplicate
