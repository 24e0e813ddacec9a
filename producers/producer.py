"""The producer for services that run threads."""

import math
import os
from collections.abc import Callable, Iterable
from typing import Self, TypeVar, Unpack

from redis.backoff import NoBackoff
from redis.retry import Retry

from lanes.errors import RedisUnavailableError, SettingsError
from lanes.queue.enqueueing import DurabilityPolicy
from lanes.queue.job import Job
from lanes.queue.new_job import NotDurableError
from lanes.queue.store import LaneStore, connect
from lanes.retry_loop import NONE, RetryLoop
from lanes.settings import ProducerSettings
from lanes.storage.durability import Durability
from producers.batching import (
    Batch,
    InputRow,
    batched,
    check_rows,
    make_receipt,
    number_rows,
    raise_if_unavailable,
    receipt_of,
    record_results,
)
from producers.errors import (
    DurabilityError,
    EnqueueFailedError,
    EnqueueInterruptedError,
    InvalidJobError,
    UnknownJobError,
    WaitTimeoutError,
)
from producers.model import EnqueueOptions, Options, check, shorten
from producers.new_job import Opportunity, new_job_for
from producers.protocols import Progress, Store
from producers.receipt import EnqueueReport, FieldError, Receipt
from producers.retry import ATTEMPT_SHARE, RetryBudget

T = TypeVar("T")


def polls_within(timeout: float) -> RetryLoop:
    """Return how to look again for a job's end: soon at first, once a second later on, for so long."""
    return RetryLoop(0.02, 1.0, within=timeout, factor=1.5, jitter=NONE)


def settings_for(redis_url: str) -> ProducerSettings:
    """Return the settings of the environment or `.env`, but for the Redis that they name.

    Raises:
        SettingsError: the URL or another setting is wrong.
    """
    if not redis_url:
        raise SettingsError("the URL of Redis must not be empty; it looks like redis://127.0.0.1:6379/0")
    return ProducerSettings.load({**os.environ, "LANES_REDIS_URL": redis_url, "LANES_REDIS_URL_FILE": ""})


def durability_for(settings: ProducerSettings, asked: str | None) -> Durability:
    """Return how safe jobs must be, as a call says or else the settings.

    Raises:
        InvalidJobError: it is none of the levels.
    """
    try:
        return Durability.parse(settings.durability if asked is None else str(asked))
    except ValueError as error:
        raise InvalidJobError([FieldError("durability", shorten(asked), str(error))]) from None


def client_timeouts(settings: ProducerSettings) -> dict[str, float]:
    """Return how long a client waits for a connection or a reply: several tries fit into the time of an enqueue."""
    seconds = settings.enqueue_timeout_seconds * ATTEMPT_SHARE
    return {"socket_connect_timeout": seconds, "socket_timeout": seconds}


class OpportunityProducer:
    """Puts upserts into the lanes. Thread-safe; make one per process and keep it.

    Every method insists while Redis is away or being started, for at most `LANES_ENQUEUE_TIMEOUT_SECONDS`, and raises
    `lanes.RedisUnavailableError` then. What is enqueued is sent again under the same id, and makes one job.
    """

    def __init__(self, store: Store, settings: ProducerSettings | None = None) -> None:
        self._store = store
        self._settings = settings or ProducerSettings.load()
        self._idempotency_seconds = self._settings.idempotency_seconds

    @classmethod
    def from_url(cls, redis_url: str) -> Self:
        """Return a producer for the Redis at this URL; every other setting comes from the environment or `.env`.

        Raises:
            SettingsError: the URL or another setting is wrong.
        """
        return cls._of(settings_for(redis_url))

    @classmethod
    def from_settings(cls, settings: ProducerSettings | None = None) -> Self:
        """Return a producer as the settings say, by default those of the environment or `.env`.

        Raises:
            SettingsError: a setting is wrong.
        """
        return cls._of(settings or ProducerSettings.load())

    @classmethod
    def _of(cls, settings: ProducerSettings) -> Self:
        client = connect(settings.redis_url, retry=Retry(NoBackoff(), 0), **client_timeouts(settings))
        return cls(LaneStore(client, settings.prefix), settings)

    def _retry(self, call: Callable[[], T], max_seconds: float = math.inf) -> T:
        return RetryBudget(min(self._settings.enqueue_timeout_seconds, max_seconds)).run(lambda _: call())

    def enqueue(
        self,
        opportunity: Opportunity,
        *,
        durability: str | None = None,
        job_id: str | None = None,
        **options: Unpack[Options],
    ) -> Receipt:
        """Enqueue one upsert; when this returns, it will be delivered, refused or expired, but not lost.

        Args:
            opportunity: an `UpsertOpportunity`, or a mapping with its fields.
            durability: how safe it must be before this returns: `accepted` by Redis, `fsync` (on its disk), or
                `replicas:N` (in the memory of N replicas too); by default as `LANES_DURABILITY` says.
            job_id: of the job that an `EnqueueFailedError` or `DurabilityError` spoke of; a new one by default. The
                same id again is the same job, whatever the body.
            **options: the fields of `EnqueueOptions`.

        Raises:
            InvalidJobError: a field or option is wrong.
            IdempotencyConflictError: the key was used for another body.
            EnqueueFailedError: Redis is away, or takes no jobs; it tells whether this one may be accepted.
            DurabilityError: it is accepted, but not known to be as safe as was asked.
        """
        new_job = new_job_for(self._settings, opportunity, options or None, job_id)
        asked = durability_for(self._settings, durability)
        retry_budget = RetryBudget(self._settings.enqueue_timeout_seconds)
        try:
            answer = retry_budget.run(
                lambda seconds: self._store.enqueue(
                    new_job, self._idempotency_seconds, DurabilityPolicy(asked, seconds)
                )
            )
        except RedisUnavailableError as error:
            raise EnqueueFailedError(new_job.id, error, may_be_accepted=retry_budget.may_be_done) from error
        except NotDurableError as error:
            raise DurabilityError(str(asked), str(error), receipt=receipt_of(new_job, error)) from error
        return make_receipt(new_job, answer)

    def enqueue_many(
        self,
        opportunities: Iterable[Opportunity],
        *,
        progress: Progress | None = None,
        durability: str | None = None,
        **options: Unpack[Options],
    ) -> EnqueueReport:
        """Enqueue any number of upserts in few round trips; wrong ones are reported and do not stop the others.

        Args:
            opportunities: models or mappings; a mapping may carry its own options under `_options`.
            progress: called with the report so far after each round trip.
            durability: as for `enqueue`; it is waited for once in 500 rows.
            **options: as for `enqueue`, for every row; a row's own go before them.

        Raises:
            InvalidJobError: an option for all rows is wrong; nothing was enqueued.
            EnqueueInterruptedError: Redis went away; what was accepted so far is in its `report`.
            DurabilityError: all that is in its `report` is accepted, but not known to be as safe as was asked.
        """
        return self.enqueue_rows(number_rows(opportunities), progress=progress, durability=durability, **options)

    def enqueue_rows(
        self,
        rows: Iterable[InputRow],
        *,
        progress: Progress | None = None,
        durability: str | None = None,
        **options: Unpack[Options],
    ) -> EnqueueReport:
        """`enqueue_many` for rows that bring their own numbers, as those of a file do (`producers.files.rows`)."""
        common = check(EnqueueOptions, options)
        asked = durability_for(self._settings, durability)
        report = EnqueueReport()
        for values in batched(rows):
            try:
                self._enqueue_batch(check_rows(values, common, self._settings), asked, report)
            finally:
                if progress is not None:
                    progress(report)
        return report

    def _enqueue_batch(self, batch: Batch, asked: Durability, report: EnqueueReport) -> None:
        new_jobs, retry_budget = batch.new_jobs, RetryBudget(self._settings.enqueue_timeout_seconds)
        try:
            answers = retry_budget.run(
                lambda seconds: raise_if_unavailable(
                    self._store.enqueue_many(new_jobs, self._idempotency_seconds, DurabilityPolicy(asked, seconds))
                )
            )
            record_results(batch, answers, report)
        except RedisUnavailableError as error:
            raise EnqueueInterruptedError(report, error, may_be_accepted=retry_budget.may_be_done) from error
        except NotDurableError as error:
            record_results(batch, error.answers, report)
            raise DurabilityError(str(asked), str(error), report=report) from error

    def status(self, job_id: str) -> Job:
        """Return the job with its state, its attempts and what the API answered.

        Delivered, it tells `opportunity_id`, and whether that was `new`; dead, the API's `message` and `code`.

        Raises:
            UnknownJobError: no job has this id (any more).
        """
        return self._read_job(job_id)

    def _read_job(self, job_id: str, max_seconds: float = math.inf) -> Job:
        job = self._retry(lambda: self._store.job(job_id), max_seconds)
        if job is None:
            raise UnknownJobError(job_id)
        return job

    def cancel(self, job_id: str) -> bool:
        """Take a job back. Returns False when it is too late: it is on its way, done, or merged with another.

        Raises:
            UnknownJobError: no job has this id (any more).
        """
        answer = self._retry(lambda: self._store.cancel(job_id, self._settings.retention_seconds))
        if answer == "unknown":
            raise UnknownJobError(job_id)
        return answer == "cancelled"

    def wait(self, job_id: str, timeout: float) -> Job:
        """Return the job once it is delivered, dead, cancelled or expired.

        Args:
            job_id: from the receipt.
            timeout: seconds to wait at most; while Redis is away, too.

        Raises:
            WaitTimeoutError: it was not done in time; it goes on.
            UnknownJobError: no job has this id (any more).
        """
        polls = polls_within(timeout)
        while True:
            job = self._read_job(job_id, max(0.0, polls.left))
            if job.state.final:
                return job
            if not polls.sleep():
                raise WaitTimeoutError(job, timeout)

    def close(self) -> None:
        """Give the connections back."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
