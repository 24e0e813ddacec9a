"""A job, its states and its attempts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from lanes.errors import StoredJobError
from lanes.storage.stored import MICROSECONDS, Note, StoredHash, as_plain, ignore, json_object_of, number_of, text_of
from lanes.versions import DEFAULT_VERSION


class State(StrEnum):
    """State of a job. Every accepted job is in exactly one."""

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    DEAD = "dead"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    MERGED = "merged"

    @classmethod
    def read(cls, text: str | None) -> "State | None":
        """Return the state of this name, None if there is none."""
        return next((state for state in cls if state.value == text), None)

    @property
    def final(self) -> bool:
        """Whether the job stays so unless a person acts."""
        return self not in (State.PENDING, State.IN_FLIGHT)


class Reason(StrEnum):
    """Why a job is a dead letter, expired or purged."""

    REFUSED = "refused"
    EXHAUSTED = "exhausted"
    UNCONFIRMED = "unconfirmed"
    UNAUTHORIZED = "unauthorized"
    EXPIRED = "expired"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An ended request for a job. Times in seconds since the epoch by the clock of Redis.

    `outcome` is `delivered`, `retry`, `unconfirmed` (it is unknown whether the API took it), `throttled`, `requeued`
    (sent again with another token), a `Reason`, or `lost` if its lease ended without a report. `detail` may have
    `status`, `message`, `code`, `trace_id`, `seconds`, `worker`, `opportunity_id`, `new`, `warning`.
    """

    number: int
    outcome: str
    started_at: float
    ended_at: float
    detail: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, line: bytes) -> "Attempt":
        """Read one line of the attempts list.

        Raises:
            StoredJobError: it cannot be read.
        """
        number, outcome, started, ended, detail = (*line.split(b" ", 4), b"", b"", b"", b"")[:5]
        numbers = [found for value in (number, started, ended) if (found := number_of(value)) is not None]
        known = json_object_of(detail)
        if len(numbers) < 3 or known is None:
            raise StoredJobError("an attempt cannot be read")
        if not isinstance(known.get("seconds", 0), int | float):
            del known["seconds"]
        return cls(numbers[0], text_of(outcome), numbers[1] / MICROSECONDS, numbers[2] / MICROSECONDS, known)

    def line(self) -> str:
        """Return the line that `parse` reads."""
        started, ended = (round(at * MICROSECONDS) for at in (self.started_at, self.ended_at))
        return f"{self.number} {self.outcome} {started} {ended} {json.dumps(self.detail)}"

    def as_json(self) -> dict[str, Any]:
        """Return the attempt as plain values."""
        return {**as_plain(self, "detail"), **self.detail}


def read_attempts(lines: Sequence[bytes], key: str = "", note: Note = ignore) -> tuple[Attempt, ...]:
    """Return the attempts that can be read."""
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(Attempt.parse(line))
        except StoredJobError:
            note(key, f"line {number} is no attempt")
    return tuple(found)


def read_body(stored: bytes | None, key: str = "", note: Note = ignore) -> dict[str, Any] | None:
    """Return a stored body; None if there is none, or if it is no JSON object."""
    found = None if stored is None else json_object_of(stored)
    if stored is not None and found is None:
        note(key, "it is no JSON object")
    return found


@dataclass(frozen=True, slots=True)
class Job:
    """A stored job. Times in seconds since the epoch by the clock of Redis, None if not set.

    `body` is None once the job is delivered or cancelled: content is not kept longer than needed. An optional part that
    cannot be read is missing, too. `original` is the
    accepted body if a person edited it, at `edited_at`. `event_time` is the service's. `attempt` is the number of the
    newest release; `failures` counts those that spent one of the allowed attempts. A merged job has `state`, `reason`,
    `ended_at` and `attempts` of the job `merged_into`. `version` is the API version of its body.
    `ends` is how often its service was told that it ended (see `lanes.outcomes`); 0 for one that is delivered.
    """

    id: str
    location_id: str
    record: str
    state: State
    attempt: int
    failures: int
    accepted_at: float
    ended_at: float | None
    not_before: float | None
    expires_at: float | None
    service: str | None
    reason: str | None
    priority: int
    merged_into: str | None
    version: str
    body: dict[str, Any] | None
    attempts: tuple[Attempt, ...]
    original: dict[str, Any] | None = None
    edited_at: float | None = None
    event_time: float | None = None
    ends: int = 0

    @classmethod
    def parse(
        cls,
        job_id: str,
        stored: Mapping[bytes, bytes] | list[bytes],
        body: bytes | None,
        attempts: Sequence[bytes],
        original: bytes | None,
        *,
        note: Note = ignore,
    ) -> "Job":
        """Read a job from the reply of `read_jobs.lua`; `note` is told what cannot be read.

        Raises:
            StoredJobError: its state, its location, its record or the time of its enqueue cannot be read.
        """
        key = f"{'done' if b'unreadable' in stored else 'job'}:{job_id}"
        found = StoredHash(stored, key, note)
        state, location_id, record = State.read(found.text("state")), found.text("location"), found.text("record")
        accepted_at = found.time("accepted_at")
        if state is None or location_id is None or record is None or accepted_at is None:
            problem = "its state, location, record or accepted_at cannot be read"
            note(key, problem)
            raise StoredJobError(f"{key}: {problem}; lanes check --repair shows the repair")
        return cls(
            id=job_id,
            location_id=location_id,
            record=record,
            state=state,
            attempt=found.count("attempt"),
            failures=found.count("failures"),
            accepted_at=accepted_at,
            ended_at=found.time("ended_at"),
            not_before=found.time("not_before"),
            expires_at=found.time("expires_at"),
            service=found.text("service"),
            reason=found.text("reason"),
            priority=found.count("priority"),
            merged_into=found.text("merged_into"),
            version=found.text("version") or DEFAULT_VERSION,
            body=read_body(body, f"body:{job_id}", note),
            attempts=read_attempts(attempts, f"attempts:{job_id}", note),
            original=read_body(original, f"original:{job_id}", note),
            edited_at=found.time("edited_at"),
            event_time=found.time("event_time"),
            ends=found.count("ends"),
        )

    def with_outcome_of(self, target: "Job") -> "Job":
        """Return this job with the outcome of the one that it was merged into."""
        names = ("state", "attempt", "failures", "ended_at", "reason", "version", "attempts")
        return replace(self, **{name: getattr(target, name) for name in names})

    @property
    def is_dead_letter(self) -> bool:
        """Whether it is dead or expired, and kept until a person decides."""
        return self.state in (State.DEAD, State.EXPIRED)

    @property
    def opportunity_id(self) -> str | None:
        """The opportunity's id in the API, once delivered; None if the answer did not have it."""
        return self._delivery.get("opportunity_id")

    @property
    def new(self) -> bool | None:
        """Whether the delivery created the opportunity (True) or updated it (False); None if unknown."""
        return self._delivery.get("new")

    @property
    def warning(self) -> str | None:
        """A warning about the answer that delivered it, or about the last answer of a dead letter."""
        last = self.attempts[-1].detail if self.attempts else {}
        return (self._delivery or last).get("warning")

    @property
    def message(self) -> str | None:
        """The error of the last attempt, from the API or the network; None once delivered."""
        return None if self._delivery or not self.attempts else self.attempts[-1].detail.get("message")

    @property
    def code(self) -> str | None:
        """The API's own code for the error of the last attempt, such as `OPPORTUNITY_NO_DUPLICATE`."""
        return None if self._delivery or not self.attempts else self.attempts[-1].detail.get("code")

    @property
    def _delivery(self) -> dict[str, Any]:
        """The detail of the first attempt that delivered it."""
        delivered = (attempt.detail for attempt in self.attempts if attempt.outcome == State.DELIVERED)
        return next(delivered, {})

    def as_json(self) -> dict[str, Any]:
        """Return the job as plain values, as `lanes job ID --json` prints it."""
        return {
            **as_plain(self, "attempt", "version", "attempts", "ends"),
            "api_version": self.version,
            "opportunity_id": self.opportunity_id,
            "new": self.new,
            "warning": self.warning,
            "attempts": [attempt.as_json() for attempt in self.attempts],
        }
