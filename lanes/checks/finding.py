"""Findings of the checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lanes.storage.scripts import Argument
from lanes.storage.stored import as_plain

RUN_REPAIR = "lanes check --repair shows the repair"


class Severity(StrEnum):
    """An error must be fixed; a warning puts jobs at risk, or slows them; a note is information."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Repair:
    """A script that repairs a finding. It checks again before it writes."""

    script: str
    arguments: tuple[Argument, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem.

    `code` is its kind; `where` a job's id, a key without the prefix, or a part of the server; `text` says in one line
    what is wrong, and `advice` what to do. `repair` is None if only a person can repair it.
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


def unreadable(where: str, error: Exception) -> Finding:
    """Return a finding about keys that a script cannot read."""
    return Finding("unreadable", Severity.ERROR, where, str(error), "inspect its keys manually")


def consistent(findings: Sequence[Finding]) -> bool:
    """Return whether there is no error among the findings."""
    return not any(finding.severity is Severity.ERROR for finding in findings)
