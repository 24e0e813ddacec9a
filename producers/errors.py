"""The errors of producers."""

from collections.abc import Sequence
from typing import Self

from lanes.errors import LanesError, OverQuotaError, RedisUnavailableError
from lanes.queue.job import Job
from producers.receipt import EnqueueReport, FieldError, Receipt


class ProducerError(LanesError):
    """Base of the errors of this package; `LanesError`, `RedisUnavailableError` and `SettingsError` come from lanes."""


class InvalidJobError(ProducerError):
    """The body or an option is invalid; `field_errors` has every problem."""

    def __init__(self, field_errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(str(each) for each in field_errors))
        self.field_errors = tuple(field_errors)


class IdempotencyConflictError(ProducerError):
    """The idempotency key was used for another body, in the job `job_id`."""

    def __init__(self, key: str, job_id: str) -> None:
        super().__init__(f"idempotency key {key!r} was used for another body, by job {job_id}: use a new key")
        self.key = key
        self.job_id = job_id


class QuotaError(ProducerError, OverQuotaError):
    """The job was refused: its service, or that of an earlier row, is over a quota.

    Try again after `retry_after` seconds. `quota` is `max_pending` (jobs pending or in flight), `max_dead` (dead
    letters) or `rate` (new rows per second), and `limit` its value.
    """

    @classmethod
    def of(cls, error: OverQuotaError) -> Self:
        """Return the same error as one of a producer."""
        return cls(error.service, error.quota, error.limit, error.retry_after)


class EnqueueFailedError(ProducerError, RedisUnavailableError):
    """Redis did not accept the job within `LANES_ENQUEUE_TIMEOUT_SECONDS`; `trouble` has the reason.

    If `may_be_accepted`, Redis may have accepted it, but no reply came. Enqueue it again with its idempotency key, or
    with `job_id=error.job_id`: it is not created twice.
    """

    def __init__(self, job_id: str, cause: RedisUnavailableError, *, may_be_accepted: bool) -> None:
        again = f"job {job_id} may have been accepted: enqueue it again with its idempotency key, or with this job_id"
        super().__init__(f"{cause}; {again if may_be_accepted else 'nothing was accepted'}")
        self.trouble = cause.trouble
        self.may_be_done = self.may_be_accepted = may_be_accepted
        self.job_id = job_id


class EnqueueInterruptedError(ProducerError, RedisUnavailableError):
    """Redis failed in the middle of many rows; `report` covers the confirmed ones.

    If `may_be_accepted`, up to one batch (500 rows) after `report.last_row` may have been accepted too. Enqueue these
    again with the same idempotency keys: they are not sent twice.
    """

    def __init__(self, report: EnqueueReport, cause: RedisUnavailableError, *, may_be_accepted: bool) -> None:
        super().__init__(f"{cause}; {report.accepted + report.duplicates} rows were accepted before")
        self.trouble = cause.trouble
        self.may_be_done = self.may_be_accepted = may_be_accepted
        self.report = report


class DurabilityError(ProducerError):
    """The jobs were accepted and will be sent, but the requested durability is not confirmed.

    `receipt` is for one job; `report` is for many rows, of which the last batch is affected. To check again, enqueue
    the same with its idempotency key, or with `job_id=error.receipt.job_id`: it is not created twice.
    """

    def __init__(
        self, asked: str, why: str, receipt: Receipt | None = None, report: EnqueueReport | None = None
    ) -> None:
        name = "the rows are" if receipt is None else f"job {receipt.job_id} is"
        super().__init__(f"{name} accepted, but the durability {asked} is not confirmed: {why}")
        self.why = why
        self.receipt = receipt
        self.report = report


class UnknownJobError(ProducerError):
    """No job has this id, or it is no longer kept."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job {job_id}: mistyped, or done and no longer kept")
        self.job_id = job_id


class WaitTimeoutError(ProducerError):
    """The job was not finished in time; it continues. `job` is its state at that moment."""

    def __init__(self, job: Job, timeout: float) -> None:
        super().__init__(f"job {job.id} is still {job.state} after {timeout:g} s; it continues")
        self.job = job
