"""The producer for services that run threads."""

import os
import time
from collections.abc import Iterable
from typing import Any, Self

from lanes.errors import RedisUnavailableError, SettingsError
from lanes.job import Job
from lanes.settings import Settings
from lanes.store import LaneStore, connect
from producers.errors import EnqueueInterruptedError, UnknownJobError, WaitTimeoutError
from producers.intake import Row, batches, check_rows, note_answers, number_rows
from producers.model import EnqueueOptions, check
from producers.order import Opportunity, order_for
from producers.protocols import Progress, Store
from producers.receipt import EnqueueReport, Receipt, make_receipt

POLL_FIRST_SECONDS = 0.02
POLL_MOST_SECONDS = 1.0


def settings_for(redis_url: str) -> Settings:
    """Return the settings of the environment or `.env`, but for the Redis that they name.

    Raises:
        SettingsError: the URL or another setting is wrong.
    """
    if not redis_url:
        message = "the URL of Redis must not be empty; it looks like redis://127.0.0.1:6379/0"
        raise SettingsError(message)
    return Settings.load({**os.environ, "LANES_REDIS_URL": redis_url, "LANES_REDIS_URL_FILE": ""})


class OpportunityProducer:
    """Puts upserts into the lanes. Thread-safe; make one per process and keep it.

    Every method raises `lanes.RedisUnavailableError` when Redis is away, within seconds. A call that was cut off may be
    made again with the same idempotency key without making a second job.
    """

    def __init__(self, store: Store, settings: Settings | None = None) -> None:
        self._store = store
        self._settings = settings or Settings.load()

    @classmethod
    def from_url(cls, redis_url: str) -> Self:
        """Return a producer for the Redis at this URL; every other setting comes from the environment or `.env`.

        Raises:
            SettingsError: the URL or another setting is wrong.
        """
        return cls._of(settings_for(redis_url))

    @classmethod
    def from_settings(cls, settings: Settings | None = None) -> Self:
        """Return a producer as the settings say, by default those of the environment or `.env`.

        Raises:
            SettingsError: a setting is wrong.
        """
        return cls._of(settings or Settings.load())

    @classmethod
    def _of(cls, settings: Settings) -> Self:
        return cls(LaneStore(connect(settings.redis_url), settings.prefix), settings)

    def enqueue(self, opportunity: Opportunity, **options: Any) -> Receipt:
        """Enqueue one upsert; when this returns, it will be delivered, refused or expired, but not lost.

        Args:
            opportunity: an `UpsertOpportunity`, or a mapping with its fields.
            **options: the fields of `EnqueueOptions`.

        Raises:
            InvalidJobError: a field or option is wrong.
            IdempotencyConflictError: the key was used for another body.
        """
        order = order_for(self._settings, opportunity, options or None)
        return make_receipt(order, self._store.enqueue(order, self._settings.idempotency_seconds))

    def enqueue_many(
        self, opportunities: Iterable[Opportunity], *, progress: Progress | None = None, **options: Any
    ) -> EnqueueReport:
        """Enqueue any number of upserts in few round trips; wrong ones are reported and do not stop the others.

        Args:
            opportunities: models or mappings; a mapping may carry its own options under `_options`.
            progress: called with the report so far after each round trip.
            **options: as for `enqueue`, for every row; a row's own go before them.

        Raises:
            InvalidJobError: an option for all rows is wrong; nothing was enqueued.
            EnqueueInterruptedError: Redis went away; what was accepted so far is in its `report`.
        """
        return self.enqueue_rows(number_rows(opportunities), progress=progress, **options)

    def enqueue_rows(self, rows: Iterable[Row], *, progress: Progress | None = None, **options: Any) -> EnqueueReport:
        """`enqueue_many` for rows that bring their own numbers, as those of a file do (`producers.rows`)."""
        common = check(EnqueueOptions, options)
        report = EnqueueReport()
        for values in batches(rows):
            batch = check_rows(values, common, self._settings)
            try:
                note_answers(batch, self._store.enqueue_many(batch.orders, self._settings.idempotency_seconds), report)
            except RedisUnavailableError as error:
                raise EnqueueInterruptedError(report, error) from error
            finally:
                if progress is not None:
                    progress(report)
        return report

    def status(self, job_id: str) -> Job:
        """Return the job with its state, its attempts and what the API answered.

        Delivered, it tells `opportunity_id`, and whether that was `new`; dead, the API's `message` and `code`.

        Raises:
            UnknownJobError: no job has this id (any more).
        """
        job = self._store.job(job_id)
        if job is None:
            raise UnknownJobError(job_id)
        return job

    def cancel(self, job_id: str) -> bool:
        """Take a job back. Returns False when it is too late: it is on its way, done, or merged with another.

        Raises:
            UnknownJobError: no job has this id (any more).
        """
        answer = self._store.cancel(job_id, self._settings.retention_seconds)
        if answer == "unknown":
            raise UnknownJobError(job_id)
        return answer == "cancelled"

    def wait(self, job_id: str, timeout: float) -> Job:
        """Return the job once it is delivered, dead, cancelled or expired.

        Args:
            job_id: from the receipt.
            timeout: seconds to wait at most.

        Raises:
            WaitTimeoutError: it was not done in time; it goes on.
            UnknownJobError: no job has this id (any more).
        """
        deadline = time.monotonic() + timeout
        pause = POLL_FIRST_SECONDS
        while True:
            job = self.status(job_id)
            if job.state.final:
                return job
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeoutError(job, timeout)
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, POLL_MOST_SECONDS)

    def close(self) -> None:
        """Give the connections back."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
