"""What a producer can answer instead of a receipt."""

from collections.abc import Sequence

from lanes.errors import LanesError, RedisUnavailableError
from lanes.queue.job import Job
from producers.receipt import EnqueueReport, FieldError, Receipt


class ProducerError(LanesError):
    """Base of the errors of this package.

    Redis being away is `RedisUnavailableError`, a wrong setting `SettingsError`; `LanesError` is the base of all.
    """


class InvalidJobError(ProducerError):
    """The body or an option does not fit the contract; `field_errors` holds every reason."""

    def __init__(self, field_errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(str(each) for each in field_errors))
        self.field_errors = tuple(field_errors)


class IdempotencyConflictError(ProducerError):
    """The idempotency key was used for another body; `job_id` is the job that it made."""

    def __init__(self, key: str, job_id: str) -> None:
        super().__init__(f"idempotency key {key!r} was used for another body, by job {job_id}: use a new key")
        self.key = key
        self.job_id = job_id


class EnqueueFailedError(ProducerError, RedisUnavailableError):
    """Redis took no job within `LANES_ENQUEUE_TIMEOUT_SECONDS`, or will not; `trouble` tells why.

    If `may_be_accepted`, no reply came to what was sent, and the job may be there. Enqueue it again with its
    idempotency key, or with `job_id=error.job_id`: either way it is made once.
    """

    def __init__(self, job_id: str, cause: RedisUnavailableError, *, may_be_accepted: bool) -> None:
        told = (
            f"job {job_id} may have been accepted: enqueue it again with its idempotency key, or with this job_id"
            if may_be_accepted
            else "nothing was accepted"
        )
        super().__init__(f"{cause}; {told}")
        self.trouble = cause.trouble
        self.may_be_done = self.may_be_accepted = may_be_accepted
        self.job_id = job_id


class EnqueueInterruptedError(ProducerError, RedisUnavailableError):
    """Redis went away in the middle of many rows; `report` tells what became of those that it answered for.

    If `may_be_accepted`, up to one batch (500 rows) behind `report.last_row` may have got in too: enqueue them again
    with idempotency keys, so that none is sent twice.
    """

    def __init__(self, report: EnqueueReport, cause: RedisUnavailableError, *, may_be_accepted: bool) -> None:
        super().__init__(f"{cause}; {report.accepted + report.duplicates} rows were accepted before")
        self.trouble = cause.trouble
        self.may_be_done = self.may_be_accepted = may_be_accepted
        self.report = report


class DurabilityError(ProducerError):
    """What was enqueued is accepted, and will be sent, but is not known to be as safe as was asked.

    `receipt` is that of the one job, `report` that of many rows, the last batch of which is concerned. To ask once more
    whether it is safe now, enqueue the same again with its idempotency key, or with `job_id=error.receipt.job_id`: it
    is not made twice.
    """

    def __init__(
        self, asked: str, why: str, receipt: Receipt | None = None, report: EnqueueReport | None = None
    ) -> None:
        name = "the rows are" if receipt is None else f"job {receipt.job_id} is"
        super().__init__(f"{name} accepted, but not known to be as safe as {asked}: {why}")
        self.why = why
        self.receipt = receipt
        self.report = report


class UnknownJobError(ProducerError):
    """No job has this id, or it was pruned."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job {job_id}: mistyped, or done so long ago that it was pruned")
        self.job_id = job_id


class WaitTimeoutError(ProducerError):
    """The job was not done within the time, and goes on; `job` is how it stood then."""

    def __init__(self, job: Job, timeout: float) -> None:
        super().__init__(f"job {job.id} is still {job.state} after {timeout:g} s; it goes on")
        self.job = job
