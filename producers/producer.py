"""The producer for services with threads."""

import contextlib
import math
import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Self, TypeVar, Unpack

from redis.backoff import NoBackoff
from redis.retry import Retry

from lanes.errors import OverQuotaError, RedisUnavailableError, SettingsError
from lanes.queue.connecting import connect
from lanes.queue.enqueueing import DurabilityPolicy, new_bulk
from lanes.queue.job import Job
from lanes.queue.new_job import NotDurableError
from lanes.queue.store import LaneStore
from lanes.settings import ProducerSettings
from lanes.storage.durability import Durability
from producers.batching import (
    BatchCheck,
    InputRow,
    batched,
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
    QuotaError,
    UnknownJobError,
    WaitTimeoutError,
)
from producers.model import EnqueueOptions, Options, check, shorten
from producers.new_job import Opportunity, new_job_for
from producers.outcome_reader import OutcomeReader
from producers.protocols import Progress, Store
from producers.receipt import EnqueueReport, FieldError, Receipt
from producers.retry import ATTEMPT_SHARE, RetryBudget, polls_within
from producers.risks import warn_of_risks

T = TypeVar("T")
_parse_durability = lru_cache(maxsize=32)(Durability.parse)


def settings_for(redis_url: str) -> ProducerSettings:
    """Return the settings from the environment or `.env`, with this Redis.

    Raises:
        SettingsError: the URL or another setting is wrong.
    """
    if not redis_url:
        raise SettingsError("the URL of Redis must not be empty; it looks like redis://127.0.0.1:6379/0")
    return ProducerSettings.load({**os.environ, "LANES_REDIS_URL": redis_url, "LANES_REDIS_URL_FILE": ""})


def durability_for(settings: ProducerSettings, asked: str | None) -> Durability:
    """Return the requested durability, by default that of the settings.

    Raises:
        InvalidJobError: it is not a valid level.
    """
    try:
        return _parse_durability(settings.durability if asked is None else str(asked))
    except ValueError as error:
        raise InvalidJobError([FieldError("durability", shorten(asked), str(error))]) from None


def client_timeouts(settings: ProducerSettings) -> dict[str, float]:
    """Return the timeouts of the Redis client. Several attempts fit into the timeout of an enqueue."""
    seconds = settings.enqueue_timeout_seconds * ATTEMPT_SHARE
    return {"socket_connect_timeout": seconds, "socket_timeout": seconds}


class OpportunityProducer(OutcomeReader):
    """Enqueues upserts. Thread-safe: create one per process and keep it.

    While Redis is unreachable, every method retries for up to `LANES_ENQUEUE_TIMEOUT_SECONDS`, then raises
    `RedisUnavailableError`. A retried enqueue uses the same job id, so it creates one job.
    """

    def __init__(self, store: Store, settings: ProducerSettings | None = None) -> None:
        self._store = store
        self._settings = settings or ProducerSettings.load()
        self._idempotency_seconds = self._settings.idempotency_seconds
        self._risks_known = False

    @classmethod
    def from_url(cls, redis_url: str) -> Self:
        """Return a producer for this Redis. All other settings come from the environment or `.env`.

        Raises:
            SettingsError: the URL or another setting is wrong.
        """
        return cls._of(settings_for(redis_url))

    @classmethod
    def from_settings(cls, settings: ProducerSettings | None = None) -> Self:
        """Return a producer with these settings, by default those of the environment or `.env`.

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
        """Enqueue one upsert. Once this returns, the job is not lost.

        Args:
            opportunity: an `UpsertOpportunity`, or a mapping with its fields.
            durability: when to return: `accepted` by Redis, `fsync` (on its disk), or `replicas:N` (also in the memory
                of N replicas). Default: `LANES_DURABILITY`.
            job_id: the id from an `EnqueueFailedError` or `DurabilityError`, to enqueue that job again. The same id is
                always the same job, even with another body. Default: a new id.
            **options: the fields of `EnqueueOptions`.

        Raises:
            InvalidJobError: a field or an option is invalid.
            IdempotencyConflictError: the key was used for another body.
            QuotaError: its service is over a quota.
            EnqueueFailedError: Redis is unreachable or refuses; `may_be_accepted` says whether the job may exist.
            DurabilityError: the job was accepted, but the durability is not confirmed.
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
        except OverQuotaError as error:
            raise QuotaError.of(error) from error
        except NotDurableError as error:
            raise DurabilityError(str(asked), str(error), receipt=receipt_of(new_job, error)) from error
        self._warn_of_risks()
        return make_receipt(new_job, answer)

    def _warn_of_risks(self) -> None:
        """Ask Redis once, after the first enqueue, and warn if it may lose jobs."""
        if not self._risks_known:
            self._risks_known = True
            with contextlib.suppress(Exception):  # the jobs are accepted, whatever this finds
                warn_of_risks(self._store.info())

    def enqueue_many(
        self,
        opportunities: Iterable[Opportunity],
        *,
        progress: Progress | None = None,
        durability: str | None = None,
        **options: Unpack[Options],
    ) -> EnqueueReport:
        """Enqueue any number of upserts in batches of 500. Invalid ones are reported and do not stop the others.

        Once a row is over a quota of its service, all later rows are refused: each in the report has a `QuotaError` as
        `over_quota`. So no record changes its order.

        Args:
            opportunities: models or mappings; a mapping may have its own options under `_options`.
            progress: called with the report so far after each batch.
            durability: as for `enqueue`, once per batch.
            **options: as for `enqueue`, for every row; the row's own options override them.

        Raises:
            InvalidJobError: an option for all rows is invalid; nothing was enqueued.
            EnqueueInterruptedError: Redis is unreachable or refuses; `report` covers the rows so far.
            DurabilityError: the rows in `report` were accepted, but the durability is not confirmed.
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
        """`enqueue_many` for rows with their own numbers, such as those of a file (`producers.files.rows`)."""
        common = check(EnqueueOptions, options)
        asked = durability_for(self._settings, durability)
        report, bulk = EnqueueReport(), new_bulk()
        for values in batched(rows):
            try:
                self._enqueue_batch(BatchCheck(values, common, self._settings), asked, report, bulk)
            finally:
                if progress is not None:
                    progress(report)
        return report

    def _enqueue_batch(self, rows: BatchCheck, asked: Durability, report: EnqueueReport, bulk: str) -> None:
        batch, retry_budget = rows.batch, RetryBudget(self._settings.enqueue_timeout_seconds)
        try:
            answers = retry_budget.run(
                lambda seconds: raise_if_unavailable(
                    self._store.enqueue_calls(
                        rows.calls(), self._idempotency_seconds, DurabilityPolicy(asked, seconds), bulk
                    )
                )
            )
            record_results(batch, answers, report)
            self._warn_of_risks()
        except RedisUnavailableError as error:
            raise EnqueueInterruptedError(report, error, may_be_accepted=retry_budget.may_be_done) from error
        except NotDurableError as error:
            record_results(batch, error.answers, report)
            raise DurabilityError(str(asked), str(error), report=report) from error

    def status(self, job_id: str) -> Job:
        """Return the job with its state, its attempts and the API's answers.

        The last attempt has `opportunity_id` and `new` if delivered, the API's `message` and `code` if dead.

        Raises:
            UnknownJobError: no job has this id, or it is no longer kept.
        """
        return self._read_job(job_id)

    def _read_job(self, job_id: str, max_seconds: float = math.inf) -> Job:
        job = self._retry(lambda: self._store.job(job_id), max_seconds)
        if job is None:
            raise UnknownJobError(job_id)
        return job

    def cancel(self, job_id: str) -> bool:
        """Cancel a pending job. Returns False if it is in flight, finished, or merged with another job.

        Raises:
            UnknownJobError: no job has this id, or it is no longer kept.
        """
        answer = self._retry(lambda: self._store.cancel(job_id, self._settings.retention_seconds))
        if answer == "unknown":
            raise UnknownJobError(job_id)
        return answer == "cancelled"

    def wait(self, job_id: str, timeout: float) -> Job:
        """Return the job once it is delivered, dead, cancelled or expired.

        Args:
            job_id: from the receipt.
            timeout: maximum seconds to wait, also while Redis is unreachable.

        Raises:
            WaitTimeoutError: it was not finished in time; it continues.
            UnknownJobError: no job has this id, or it is no longer kept.
        """
        polls = polls_within(timeout)
        while True:
            job = self._read_job(job_id, max(0.0, polls.left))
            if job.state.final:
                return job
            if not polls.sleep():
                raise WaitTimeoutError(job, timeout)

    def close(self) -> None:
        """Close the connections."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
