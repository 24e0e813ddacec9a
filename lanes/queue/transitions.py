"""Arguments and replies of the scripts, without I/O: shared by the synchronous and the asynchronous store."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lanes.errors import OverQuotaError, ScriptError, StoredJobError
from lanes.queue.dead_letter import ActionResult, DeadLetter
from lanes.queue.job import Job, Reason
from lanes.queue.new_job import EnqueueResult, EnqueueStatus, NewJob
from lanes.queue.results import Idle, Released, Result
from lanes.storage.scripts import Argument
from lanes.storage.stored import MICROSECONDS, Note, ignore, number_of, text_of
from lanes.versions import DEFAULT_VERSION

_STATUSES = {status.encode(): status for status in EnqueueStatus}
# How long a done job can be read at least, beyond the time for which its enqueue may be retried.
HISTORY_GRACE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class DefaultLimits:
    """The limits of the settings for each location: `burst` requests in `window` seconds, `daily` in 24 hours.

    A limit is None if not set: then the limit in the API's headers applies, and until known the default.
    """

    burst: int | None
    window: float
    daily: int | None


@dataclass(frozen=True, slots=True)
class RateLimitInfo:
    """Rate limits in the headers of an answer, None if missing; times in seconds.

    `left` of `burst` requests in `window` are free, and `day_left` of `daily` until the reset in `day_resets_in`.
    """

    burst: int | None = None
    left: int | None = None
    window: float | None = None
    daily: int | None = None
    day_left: int | None = None
    day_resets_in: float | None = None

    def as_argument(self) -> str:
        """Return it as `sync_rate_limits.lua` reads it."""
        window, day_resets_in = optional_time(self.window), optional_time(self.day_resets_in)
        values = (self.burst, self.left, window, self.daily, self.day_left, day_resets_in)
        return " ".join("-" if value in (None, "") else str(value) for value in values)


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who releases jobs: the worker's name, its lease and retention in seconds, the limits.

    `unservable` is the worker of `CredentialStore.mark_unservable` whose locations are skipped; empty for none. A
    `reserved` consumer gets no job of a lane that has its fair share in flight.
    """

    worker: str
    lease: float
    retention: float
    limits: DefaultLimits
    unservable: str = ""
    reserved: bool = False


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """The report of an attempt, with its JSON detail.

    `rate_limits` is None without an answer, and `RateLimitInfo()` for an answer without rate limits.
    """

    job_id: str
    attempt: int
    detail: str
    limits: DefaultLimits
    rate_limits: RateLimitInfo | None = None


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """What makes an outage: `failures` of the API in a row, over `locations`. Seconds between probes grow from `gap` to
    `max_gap`.
    """

    failures: int
    locations: int
    gap: float
    max_gap: float

    def as_argument(self) -> str:
        """Return it as `outage.lua` reads it."""
        return f"{self.failures} {self.locations} {microseconds(self.gap)} {microseconds(self.max_gap)}"


@dataclass(frozen=True, slots=True)
class CountedRefusal:
    """A refusal that counts towards the brake of its lane: `limit` of them in a row, without a delivery, close it.

    Seconds between probes grow from `gap` to `max_gap`. `status` is that of the answer; `shape` is one word without
    content for its message, equal for similar refusals.
    """

    limit: int
    gap: float
    max_gap: float
    status: int
    shape: str

    def as_argument(self) -> str:
        """Return it as `brake.lua` reads it."""
        return f"{self.limit} {microseconds(self.gap)} {microseconds(self.max_gap)} {self.status} {self.shape}"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed job becomes a dead letter: after `max_attempts`, or a failure at the age `max_age` in seconds.

    `max_attempts` 0 is for a job that must not be sent again, even in an outage.
    """

    max_attempts: int
    max_age: float


def microseconds(seconds: float) -> int:
    """Return whole microseconds."""
    return round(seconds * MICROSECONDS)


def enqueue_arguments(
    new_jobs: Iterable[NewJob], idempotency_seconds: float, timeout: float, bulk: str = ""
) -> list[Argument]:
    """Return the ARGV of `enqueue.lua`; `timeout` is how many seconds the caller retries."""
    arguments: list[Argument] = [round(idempotency_seconds * 1000), min_age(timeout), bulk]
    for new_job in new_jobs:
        arguments += (new_job.id, new_job.location_id, new_job.record, new_job.body, _options(new_job))
    return arguments


def _options(new_job: NewJob) -> str:
    """Return the options that differ from the defaults, as `enqueue.lua` reads them."""
    text = ""
    if new_job.not_before is not None:
        text += f" not_before={microseconds(new_job.not_before)}"
    if new_job.expires_at is not None:
        text += f" expires_at={microseconds(new_job.expires_at)}"
    if new_job.service:
        text += f" service={new_job.service}"
    if new_job.idempotency_key:
        text += f" key={new_job.idempotency_key} fingerprint={new_job.fingerprint}"
    if new_job.priority:
        text += f" priority={new_job.priority}"
    if new_job.merge:
        text += " merge=1"
    if new_job.event_time is not None:
        text += f" event_time={microseconds(new_job.event_time)}"
    if new_job.version != DEFAULT_VERSION:
        text += f" version={new_job.version}"
    return f"{text} expires_while_held=1" if new_job.expires_while_held else text


def _version(new_job: NewJob) -> str:
    return "" if new_job.version == DEFAULT_VERSION else new_job.version


def min_age(enqueue_timeout: float) -> int:
    """Return the microseconds for which a job is not forgotten before its time.

    An enqueue that is retried must find its job.
    """
    return microseconds(enqueue_timeout + HISTORY_GRACE_SECONDS)


def optional_time(seconds: float | None) -> Argument:
    """Return whole microseconds, or '' for None."""
    return "" if seconds is None else microseconds(seconds)


def accepted(reply: Sequence[bytes]) -> list[EnqueueResult | Exception]:
    """Read the reply of `enqueue.lua`: a result for each job, or the error of one that was not enqueued.

    The errors are `OverQuotaError`, and `ScriptError` if the lane has a broken key.
    """
    return [
        EnqueueResult(_STATUSES[status], text_of(found)) if status in _STATUSES else _refused(status, text_of(found))
        for status, found in zip(reply[::2], reply[1::2], strict=True)
    ]


def _refused(status: bytes, found: str) -> Exception:
    if status == b"over_quota":
        service, quota, limit, wait = found.rsplit(" ", 3)
        return OverQuotaError(service, quota, int(limit), int(wait) / MICROSECONDS)
    return ScriptError(f"enqueue: {found}")


def consumer_arguments(consumer: Consumer) -> list[Argument]:
    """Return ARGV 1 to 3 of `release.lua`, also of an outcome. `reserved_argument` is the last one of both."""
    return [consumer.worker, microseconds(consumer.lease), consumer.unservable]


def reserved_argument(consumer: Consumer) -> str:
    """Return the last ARGV of `release.lua`, and of an outcome that releases."""
    return "1" if consumer.reserved else ""


def limits_arguments(limits: DefaultLimits) -> list[Argument]:
    """Return ARGV 4 to 6 of a release or an outcome."""
    burst, daily = ("" if value is None else value for value in (limits.burst, limits.daily))
    return [burst, microseconds(limits.window), daily]


def report_arguments(report: AttemptReport) -> list[Argument]:
    """Return ARGV 1 to 7 of an outcome."""
    rate_limits = "" if report.rate_limits is None else report.rate_limits.as_argument()
    return [report.job_id, report.attempt, report.detail, *limits_arguments(report.limits), rate_limits]


def result(reply: Sequence[Any]) -> Result:
    """Read the reply of an outcome, or of a release."""
    code, *durations = reply[0].split()
    numbers = map(number_of, durations)
    return Result(
        code.decode(), _following(reply), *(None if number is None else number / MICROSECONDS for number in numbers)
    )


def _following(reply: Sequence[Any]) -> Released | Idle | None:
    if len(reply) == 1:
        return None
    if not reply[1]:
        return Idle(seconds_until(reply[2]), reserved=len(reply) > 3)
    job_id, location, attempt, failures, released_at, merged_count, version, *rest = reply[1:]
    numbers = (attempt, failures, released_at / MICROSECONDS, merged_count)
    body = rest[0] if rest and rest[0] else b""
    return Released(text_of(job_id), text_of(location), *numbers, text_of(version) or DEFAULT_VERSION, body)


def retry_arguments(
    delay: float, min_delay: float, outage: BreakerPolicy | None, retry_policy: RetryPolicy | None, reason: Reason
) -> list[Argument]:
    """Return ARGV 8 to 13 of `retry.lua`."""
    limits: list[Argument] = ["", ""]
    if retry_policy is not None:
        limits = [retry_policy.max_attempts, microseconds(retry_policy.max_age)]
    rule = "" if outage is None else outage.as_argument()
    return [microseconds(delay), rule, *limits, reason.value, microseconds(min_delay)]


def jobs(job_ids: Sequence[str], reply: Sequence[Any], note: Note = ignore) -> list[Job | None]:
    """Read the reply of `read_jobs.lua`; None for a job that does not exist or cannot be read."""
    found: list[Job | None] = []
    for job_id, (stored, body, attempts, original) in zip(job_ids, reply, strict=True):
        job = None
        if stored:
            with contextlib.suppress(StoredJobError):  # it was noted
                job = Job.parse(job_id, stored, body, attempts, original, note=note)
        found.append(job)
    return found


class OneJob:
    """Reads one job: `note` collects its problems, and `checked` raises an error for a job that cannot be read."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._problems: list[str] = []

    def note(self, key: str, problem: str) -> None:
        """Keep a problem, and pass it on."""
        self._problems.append(f"{key}: {problem}")
        self._note(key, problem)

    def checked(self, job: Job | None) -> Job | None:
        """Return the job; None if it does not exist.

        Raises:
            StoredJobError: it exists and cannot be read.
        """
        if job is None and self._problems:
            raise StoredJobError(f"{self._problems[-1]}; lanes check --repair shows the repair")
        return job


def replayed(job_id: str, reply: Sequence[Any]) -> ActionResult:
    """Read the reply of `replay.lua`."""
    answer, newer, *doubt = reply
    return ActionResult(job_id, text_of(answer), text_of(newer) or None, unconfirmed=doubt == [1])


def purge_arguments(job_id: str, retention: float, seen: float | None) -> list[Argument]:
    """Return the ARGV of `purge.lua`."""
    return [job_id, round(retention * 1000), optional_time(seen)]


def restore_arguments(dead_letter: DeadLetter) -> list[Argument]:
    """Return the ARGV of `restore.lua`."""
    new_job, attempts = dead_letter.new_job, dead_letter.attempts
    arguments: list[Argument] = [new_job.id, new_job.location_id, new_job.record, new_job.body]
    arguments += (dead_letter.original or b"", dead_letter.reason)
    arguments += (microseconds(dead_letter.accepted_at), microseconds(dead_letter.ended_at))
    arguments += (optional_time(new_job.event_time), new_job.service or "", new_job.priority)
    arguments += (max((attempt.number for attempt in attempts), default=0), _version(new_job), dead_letter.ends)
    return [*arguments, *(attempt.line() for attempt in attempts)]


def seconds_until(value: int) -> float | None:
    """Return seconds for microseconds, None for -1 (never)."""
    return None if value < 0 else value / MICROSECONDS
