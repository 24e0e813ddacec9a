"""Dead letters, as they are put back and moved."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lanes.job import Attempt, Order, Reason


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as an export tells it, and an import puts it back. Times in seconds since the epoch."""

    order: Order
    reason: Reason
    accepted_at: float
    ended_at: float
    attempts: tuple[Attempt, ...]
    original: bytes | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transition answered about a dead letter. `newer` is the id of the job that has overtaken it, if one has."""

    job_id: str
    answer: str
    newer: str | None = None


_ATTEMPT = ("number", "outcome", "started_at", "ended_at")
_OUTCOME = re.compile(r"[a-z_]{1,32}")


def read_attempt(values: Mapping[str, Any]) -> Attempt:
    """Read what `Attempt.as_json` returned.

    Raises:
        ValueError, TypeError: something is missing, or not what it must be.
    """
    number, outcome, started, ended = (values.get(name) for name in _ATTEMPT)
    if not isinstance(outcome, str) or not _OUTCOME.fullmatch(outcome):
        message = "its outcome must be one word"
        raise ValueError(message)
    detail = {name: value for name, value in values.items() if name not in _ATTEMPT}
    return Attempt(int(number or 0), outcome, float(started or 0), float(ended or 0), detail)
