"""What an audit finds: typed, with what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lanes.storage.scripts import Argument
from lanes.storage.stored import as_plain


class Severity(StrEnum):
    """How bad it is: an error must not be; a warning puts jobs at risk, or slows them; a note is good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Repair:
    """How a finding is mended: a script that looks again before it writes, its arguments, and in words what it does."""

    script: str
    arguments: tuple[Argument, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    `code` names the kind; `where` is the job's id, the key below the prefix, or the part of the surroundings; `text`
    says in one line what is wrong, and `advice` what to do. `repair` is None for what only a person can set right.
    """

    code: str
    severity: Severity
    where: str
    text: str
    advice: str
    repair: Repair | None = None

    def __str__(self) -> str:
        return f"{self.severity} {self.code} {self.where}: {self.text}; {self.advice}"

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**as_plain(self), "repair": None if self.repair is None else self.repair.description}


def consistent(findings: Sequence[Finding]) -> bool:
    """Return whether there is nothing among these that must not be."""
    return not any(finding.severity is Severity.ERROR for finding in findings)
