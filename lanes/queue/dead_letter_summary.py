"""Summary of a dead letter, without its body."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lanes.printable import printable
from lanes.queue.job import Job, Reason, State, read_attempts
from lanes.storage.stored import Note, StoredHash, ignore

# A long word with a digit is an id. Without ids, messages of the same error are equal.
_ID = re.compile(r"\b(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{10,}\b")


@dataclass(frozen=True, slots=True)
class DeadLetterSummary:
    """Summary of a dead letter; `status`, `code` and `message` are those of its last attempt.

    `status` is 0 without an answer, `code` and `message` are empty if missing. `failed_at` and `edited_at` are in
    seconds since the epoch; `attempts` is their number.
    """

    id: str
    location_id: str
    reason: str
    status: int
    code: str
    message: str
    failed_at: float
    service: str | None
    attempts: int
    edited_at: float | None = None

    @classmethod
    def parse(cls, job_id: str, values: Sequence[Any], note: Note = ignore) -> "DeadLetterSummary | None":
        """Read an entry of the reply of `summarize.lua`; None if it is no dead letter."""
        names = ("state", "location", "reason", "ended_at", "service", "edited_at")
        *stored, attempts, last = values
        fields = {name.encode(): value for name, value in zip(names, stored, strict=True) if value is not None}
        found = StoredHash(fields, f"job:{job_id}", note)
        if found.text("state") not in (State.DEAD, State.EXPIRED):
            return None
        read = read_attempts([] if last is None else [last], f"attempts:{job_id}", note)
        return cls(
            job_id,
            found.text("location") or "",
            found.text("reason") or "",
            *_answer_in(read[0].detail if read else {}),
            found.time("ended_at") or 0.0,
            found.text("service"),
            attempts,
            found.time("edited_at"),
        )

    @property
    def answer(self) -> str:
        """The answer to the last attempt, in one printable line."""
        return printable(f"{self.status} {self.message}".strip() if self.status else self.message)

    @property
    def why(self) -> str:
        """Why it failed, in one printable line."""
        cause = {
            Reason.UNAUTHORIZED.value: "the API refused the token of its location",
            Reason.EXHAUSTED.value: "its attempts or its time for them ran out",
            Reason.UNCONFIRMED.value: "no answer confirmed that the API took it",
            Reason.EXPIRED.value: "its expires_at passed before it was delivered",
        }.get(self.reason, "the API refused it")
        return f"{cause}; the last answer: {self.answer}" if self.answer else cause


def summarize(job: Job) -> DeadLetterSummary:
    """Return the summary of a dead letter."""
    texts = (job.id, job.location_id, job.reason or "")
    answer = _answer_in(job.attempts[-1].detail if job.attempts else {})
    return DeadLetterSummary(*texts, *answer, job.ended_at or 0.0, job.service, len(job.attempts), job.edited_at)


@lru_cache(maxsize=10_000)
def message_pattern_of(message: str) -> str:
    """Return a message without its ids."""
    return _ID.sub("…", message)


def _answer_in(detail: dict[str, Any]) -> tuple[int, str, str]:
    """Return status, code and message; imported values may have any type."""
    status, code, message = (detail.get(name) for name in ("status", "code", "message"))
    parts = message if isinstance(message, list) else [message or ""]
    return (
        status if isinstance(status, int) else 0,
        _encodable(code) if isinstance(code, str) else json.dumps(code) if code else "",
        _encodable("; ".join(map(str, parts))),
    )


def _encodable(text: str) -> str:
    """Return text that can be encoded: lone surrogates, which JSON may have, become question marks."""
    return text if text.isprintable() else text.encode("utf-8", "replace").decode()
