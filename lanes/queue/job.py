"""What a job is, what states it has, and what became of its attempts."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from lanes.errors import StoredJobError
from lanes.storage.stored import MICROSECONDS, StoredHash, as_plain
from lanes.versions import DEFAULT_VERSION


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Raise whatever is wrong with something stored as a `StoredJobError`, which repeats nothing of it."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        message = f"{what} cannot be read by this version ({type(error).__name__}): was it written by a newer one?"
        raise StoredJobError(message) from error


class State(StrEnum):
    """Where a job is. Every accepted job is in exactly one of these."""

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    DEAD = "dead"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    MERGED = "merged"

    @property
    def final(self) -> bool:
        """Whether nothing more happens to the job unless a person acts."""
        return self not in (State.PENDING, State.IN_FLIGHT)


class Reason(StrEnum):
    """Why a job is a dead letter, or expired, or was cancelled by hand."""

    REFUSED = "refused"
    EXHAUSTED = "exhausted"
    UNCONFIRMED = "unconfirmed"
    UNAUTHORIZED = "unauthorized"
    EXPIRED = "expired"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request for a job, ended. Times in seconds since the epoch by the clock of Redis.

    `outcome` is `delivered`, `retry`, `unconfirmed` (it is unknown whether the API took it), `throttled`, `requeued`
    (another token was to be had), a `Reason`, or `lost` when its lease ended without a report.
    `detail` holds what the worker noted: `status`, `message`, `code`, `trace_id`, `seconds`, `worker`,
    `opportunity_id`, `new`, `warning`.
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
            StoredJobError: it is none.
        """
        with reading("an attempt"):
            number, outcome, started, ended, detail = line.split(b" ", 4)
            return cls(
                int(number),
                outcome.decode(),
                int(started) / MICROSECONDS,
                int(ended) / MICROSECONDS,
                dict(json.loads(detail)),
            )

    def line(self) -> str:
        """Return it as `parse` reads it."""
        started, ended = (round(at * MICROSECONDS) for at in (self.started_at, self.ended_at))
        return f"{self.number} {self.outcome} {started} {ended} {json.dumps(self.detail)}"

    def as_json(self) -> dict[str, Any]:
        """Return the attempt as plain values."""
        return {**as_plain(self, "detail"), **self.detail}


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands in Redis. Times in seconds since the epoch by the clock of Redis, None where not set.

    `body` is None once the job is delivered or cancelled: content is not kept longer than it is needed. `original` is
    the body as it was accepted, when a person edited it since, at `edited_at`. `event_time` is the service's.
    `attempt` numbers the newest release; `failures` counts those that used up one of the allowed attempts.
    `merged_into` is the job that carries this one: what became of that became of this, so `state`, `reason`, `ended_at`
    and `attempts` are the carrier's. `version` is that of the API that its body was checked for, and is sent with.
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

    @classmethod
    def parse(
        cls,
        job_id: str,
        fields: dict[bytes, bytes],
        body: bytes | None,
        attempts: list[bytes],
        original: bytes | None = None,
    ) -> "Job":
        """Read a job from its hash, its body, its attempts and its body before it was edited.

        Raises:
            StoredJobError: they are not those of a job.
        """
        with reading(f"job {job_id!r}"):
            found = StoredHash(fields)
            return cls(
                id=job_id,
                location_id=fields[b"location"].decode(),
                record=fields[b"record"].decode(),
                state=State(fields[b"state"].decode()),
                attempt=found.count("attempt"),
                failures=found.count("failures"),
                accepted_at=float(fields[b"accepted_at"]) / MICROSECONDS,
                ended_at=found.time("ended_at"),
                not_before=found.time("not_before"),
                expires_at=found.time("expires_at"),
                service=found.text("service"),
                reason=found.text("reason"),
                priority=found.count("priority"),
                merged_into=found.text("merged_into"),
                version=found.text("version") or DEFAULT_VERSION,
                body=None if body is None else json.loads(body),
                attempts=tuple(Attempt.parse(line) for line in attempts),
                original=None if original is None else json.loads(original),
                edited_at=found.time("edited_at"),
                event_time=found.time("event_time"),
            )

    def with_outcome_of(self, merge_target: "Job") -> "Job":
        """Return this job with what became of the one that it was merged into."""
        return replace(
            self,
            state=merge_target.state,
            attempt=merge_target.attempt,
            failures=merge_target.failures,
            ended_at=merge_target.ended_at,
            reason=merge_target.reason,
            version=merge_target.version,
            attempts=merge_target.attempts,
        )

    @property
    def is_dead_letter(self) -> bool:
        """Whether it is among the dead letters: dead or expired, kept until a person decides."""
        return self.state in (State.DEAD, State.EXPIRED)

    @property
    def opportunity_id(self) -> str | None:
        """The id that the API gave to the opportunity, once delivered; None where its answer did not hold one."""
        return self._delivery.get("opportunity_id")

    @property
    def new(self) -> bool | None:
        """Whether the delivery created the opportunity (True) or updated it (False); None where not known."""
        return self._delivery.get("new")

    @property
    def warning(self) -> str | None:
        """What was odd about the answer that delivered it; of a dead letter, what its last answer hints at."""
        last = self.attempts[-1].detail if self.attempts else {}
        return (self._delivery or last).get("warning")

    @property
    def message(self) -> str | None:
        """What the API, or the network, said to the last attempt; of a dead letter, why it died."""
        return None if self._delivery or not self.attempts else self.attempts[-1].detail.get("message")

    @property
    def code(self) -> str | None:
        """The API's own code for the error of the last attempt, such as `OPPORTUNITY_NO_DUPLICATE`."""
        return None if self._delivery or not self.attempts else self.attempts[-1].detail.get("code")

    @property
    def _delivery(self) -> dict[str, Any]:
        """What the attempt that delivered it noted: the first that did, whatever a later one came to."""
        delivered = (attempt.detail for attempt in self.attempts if attempt.outcome == State.DELIVERED)
        return next(delivered, {})

    def as_json(self) -> dict[str, Any]:
        """Return the job as plain values, as `lanes job ID --json` prints it."""
        return {
            **as_plain(self, "attempt", "version", "attempts"),
            "api_version": self.version,
            "opportunity_id": self.opportunity_id,
            "new": self.new,
            "warning": self.warning,
            "attempts": [attempt.as_json() for attempt in self.attempts],
        }
