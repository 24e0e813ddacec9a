"""What an enqueue task refused. It is kept under the task's id for as long as a finished job."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from lanes.storage.stored import StoredHash

MAX_ROWS = 100  # that are kept; the others are only counted
MAX_ERRORS = 10  # of one row
_ROW_OF_TASK = re.compile(r"(.+)-([1-9]\d{0,8})")


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that was not enqueued: its number in the task, from 1, and for each problem the field and what is valid."""

    row: int
    errors: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        problems = (f"{field}: {message}" if field else message for field, message in self.errors)
        return f"row {self.row}: {'; '.join(problems)}"

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"row": self.row, "errors": [{"field": field, "message": message} for field, message in self.errors]}


@dataclass(frozen=True, slots=True)
class RejectedTask:
    """An enqueue task with refused rows. It is no job: it has no state and is in no count of jobs.

    `rows` is the number of rows in the task and `accepted` of those that were enqueued. `refused` are the others, at
    most MAX_ROWS of them. No value of a field is kept.
    """

    id: str
    rows: int
    accepted: int
    refused: tuple[RefusedRow, ...]
    at: float | None = None

    @property
    def summary(self) -> str:
        """One line: how many rows were refused, and which were enqueued."""
        if self.rows == 1:
            return "the row was refused; nothing was enqueued"
        refused = f"{self.rows - self.accepted} of {self.rows} rows were refused"
        ids = f"the others are enqueued as {self.id}-ROW" if self.accepted else "nothing was enqueued"
        return f"{refused}; {ids}"

    def describe(self, max_rows: int) -> str:
        """Return the summary and at most `max_rows` refused rows, in one line."""
        shown = self.refused[:max_rows]
        unshown = self.rows - self.accepted - len(shown)
        more = [f"... and {unshown} more: lanes job {self.id}"] if unshown > 0 else []
        return " | ".join([f"{self.id}: {self.summary}", *map(str, shown), *more])

    @classmethod
    def parse(cls, task_id: str, stored: Mapping[bytes, bytes]) -> Self | None:
        """Return what is stored; None if there is nothing, or nothing readable."""
        try:
            found = StoredHash(stored)
            rows = tuple(
                RefusedRow(int(row["row"]), tuple((str(each["field"]), str(each["message"])) for each in row["errors"]))
                for row in json.loads(found.text("refused") or "")
            )
            return cls(task_id, found.count("rows"), found.count("accepted"), rows, found.time("at"))
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
            return None

    def encode(self) -> str:
        """Return the refused rows as they are stored."""
        return json.dumps([row.as_json() for row in self.refused])

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "id": self.id,
            "refused_at": self.at,
            "rows": self.rows,
            "accepted": self.accepted,
            "refused": [row.as_json() for row in self.refused],
        }


def task_of_row(job_id: str) -> tuple[str, int] | None:
    """Return the task and the row number of an id like `TASK-2`, which a row of a task gets; None for other ids."""
    found = _ROW_OF_TASK.fullmatch(job_id)
    return None if found is None else (found[1], int(found[2]))
