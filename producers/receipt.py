"""The results of producers."""

from dataclasses import dataclass, field

from lanes.errors import OverQuotaError


@dataclass(frozen=True, slots=True)
class Receipt:
    """An accepted job. `duplicate`: an earlier enqueue with the same idempotency key created it.

    A job that is enqueued again with its own `job_id` does not count as a duplicate, but as a retry. `forgotten`: that
    earlier job was done, and cannot be read any more.
    """

    job_id: str
    location_id: str
    duplicate: bool = False
    forgotten: bool = False


@dataclass(frozen=True, slots=True)
class FieldError:
    """One problem of a job: the field, its value shortened to one line, and what is allowed."""

    field: str
    value: str
    message: str

    def __str__(self) -> str:
        shown = f" (it is {self.value})" if self.value else ""
        return f"{self.field}: {self.message}{shown}" if self.field else f"{self.message}{shown}"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not enqueued: its number (from 1) and every problem.

    `over_quota` is a `QuotaError` if the row is valid, but its service is over a quota. `broken` is the error if the
    stored data of its lane cannot be read.
    """

    row: int
    field_errors: tuple[FieldError, ...]
    over_quota: OverQuotaError | None = None
    broken: Exception | None = None

    def __str__(self) -> str:
        return f"row {self.row}: " + "; ".join(str(problem) for problem in self.field_errors)


@dataclass(slots=True)
class EnqueueReport:
    """The result of many rows: numbers of accepted rows and duplicates, and the refused rows with their problems.

    `job_ids` are those of accepted rows and duplicates, in order. All rows up to number `last_row` are in the report.
    """

    accepted: int = 0
    duplicates: int = 0
    job_ids: list[str] = field(default_factory=list)
    refused: list[RejectedRow] = field(default_factory=list)
    last_row: int = 0

    @property
    def rows(self) -> int:
        """The number of rows in the report."""
        return self.accepted + self.duplicates + len(self.refused)

    def add(self, receipt: Receipt) -> None:
        """Add an accepted row or a duplicate."""
        self.job_ids.append(receipt.job_id)
        self.accepted += not receipt.duplicate
        self.duplicates += receipt.duplicate
