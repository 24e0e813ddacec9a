"""The producer for services with an event loop."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Self, TypeVar, Unpack

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from lanes.errors import OverQuotaError, RedisUnavailableError
from lanes.queue.async_store import AsyncLaneStore, connect
from lanes.queue.enqueueing import DurabilityPolicy, EnqueueResults, new_bulk
from lanes.queue.job import Job
from lanes.queue.new_job import NotDurableError
from lanes.settings import ProducerSettings
from lanes.storage.durability import Durability
from producers.batching import (
    BATCH,
    BatchCheck,
    InputRow,
    Item,
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
    QuotaError,
    UnknownJobError,
    WaitTimeoutError,
)
from producers.model import EnqueueOptions, Options, check
from producers.new_job import Opportunity, new_job_for
from producers.outcome_reader import AsyncOutcomeReader
from producers.producer import client_timeouts, durability_for, settings_for
from producers.protocols import AsyncStore
from producers.receipt import EnqueueReport, Receipt
from producers.retry import RetryBudget, polls_within
from producers.risks import warn_of_risks

T = TypeVar("T")


class AsyncOpportunityProducer(AsyncOutcomeReader):
    """`OpportunityProducer` with awaitable methods. Use it in one event loop only."""

    def __init__(self, store: AsyncStore, settings: ProducerSettings | None = None) -> None:
        self._store = store
        self._settings = settings or ProducerSettings.load()
        self._idempotency_seconds = self._settings.idempotency_seconds
        self._risks_known = False

    @classmethod
    def from_url(cls, redis_url: str) -> Self:
        """See `OpportunityProducer.from_url`."""
        return cls.from_settings(settings_for(redis_url))

    @classmethod
    def from_settings(cls, settings: ProducerSettings | None = None) -> Self:
        """See `OpportunityProducer.from_settings`."""
        settings = settings or ProducerSettings.load()
        client = connect(settings.redis_url, retry=Retry(NoBackoff(), 0), **client_timeouts(settings))
        return cls(AsyncLaneStore(client, settings.prefix), settings)

    async def enqueue(
        self,
        opportunity: Opportunity,
        *,
        durability: str | None = None,
        job_id: str | None = None,
        **options: Unpack[Options],
    ) -> Receipt:
        """See `OpportunityProducer.enqueue`."""
        new_job = new_job_for(self._settings, opportunity, options or None, job_id)
        asked = durability_for(self._settings, durability)
        retry_budget = RetryBudget(self._settings.enqueue_timeout_seconds)
        try:
            answer = await retry_budget.run_async(
                lambda seconds: self._store.enqueue(
                    new_job, self._idempotency_seconds, DurabilityPolicy(asked, seconds)
                ),
                asyncio.sleep,
            )
        except RedisUnavailableError as error:
            raise EnqueueFailedError(new_job.id, error, may_be_accepted=retry_budget.may_be_done) from error
        except OverQuotaError as error:
            raise QuotaError.of(error) from error
        except NotDurableError as error:
            raise DurabilityError(str(asked), str(error), receipt=receipt_of(new_job, error)) from error
        await self._warn_of_risks()
        return make_receipt(new_job, answer)

    async def _warn_of_risks(self) -> None:
        """See `OpportunityProducer`."""
        if not self._risks_known:
            self._risks_known = True
            with contextlib.suppress(Exception):  # the jobs are accepted, whatever this finds
                warn_of_risks(await self._store.info())

    async def enqueue_many(
        self,
        opportunities: Iterable[Opportunity] | AsyncIterable[Opportunity],
        *,
        durability: str | None = None,
        **options: Unpack[Options],
    ) -> EnqueueReport:
        """See `OpportunityProducer.enqueue_many`; takes asynchronous iterables too."""
        if isinstance(opportunities, AsyncIterable):
            return await self.enqueue_rows(_number_rows(opportunities), durability=durability, **options)
        return await self.enqueue_rows(number_rows(opportunities), durability=durability, **options)

    async def enqueue_rows(
        self,
        rows: Iterable[InputRow] | AsyncIterable[InputRow],
        *,
        durability: str | None = None,
        **options: Unpack[Options],
    ) -> EnqueueReport:
        """See `OpportunityProducer.enqueue_rows`; takes asynchronous iterables too."""
        common = check(EnqueueOptions, options)
        asked = durability_for(self._settings, durability)
        report, bulk = EnqueueReport(), new_bulk()
        async for values in _batches(rows):
            await self._enqueue_batch(BatchCheck(values, common, self._settings), asked, report, bulk)
        return report

    async def _enqueue_batch(self, rows: BatchCheck, asked: Durability, report: EnqueueReport, bulk: str) -> None:
        batch, retry_budget = rows.batch, RetryBudget(self._settings.enqueue_timeout_seconds)

        async def attempt(seconds: float) -> EnqueueResults:
            return raise_if_unavailable(
                await self._store.enqueue_calls(
                    rows.calls(), self._idempotency_seconds, DurabilityPolicy(asked, seconds), bulk
                )
            )

        try:
            record_results(batch, await retry_budget.run_async(attempt, asyncio.sleep), report)
            await self._warn_of_risks()
        except RedisUnavailableError as error:
            raise EnqueueInterruptedError(report, error, may_be_accepted=retry_budget.may_be_done) from error
        except NotDurableError as error:
            record_results(batch, error.answers, report)
            raise DurabilityError(str(asked), str(error), report=report) from error

    async def _retry(self, call: Callable[[], Awaitable[T]], max_seconds: float = math.inf) -> T:
        retry_budget = RetryBudget(min(self._settings.enqueue_timeout_seconds, max_seconds))
        return await retry_budget.run_async(lambda _: call(), asyncio.sleep)

    async def status(self, job_id: str) -> Job:
        """See `OpportunityProducer.status`."""
        return await self._read_job(job_id)

    async def _read_job(self, job_id: str, max_seconds: float = math.inf) -> Job:
        job = await self._retry(lambda: self._store.job(job_id), max_seconds)
        if job is None:
            raise UnknownJobError(job_id)
        return job

    async def cancel(self, job_id: str) -> bool:
        """See `OpportunityProducer.cancel`."""
        answer = await self._retry(lambda: self._store.cancel(job_id, self._settings.retention_seconds))
        if answer == "unknown":
            raise UnknownJobError(job_id)
        return answer == "cancelled"

    async def wait(self, job_id: str, timeout: float) -> Job:  # noqa: ASYNC109 - the same signature as the other face
        """See `OpportunityProducer.wait`."""
        polls = polls_within(timeout)
        while True:
            job = await self._read_job(job_id, max(0.0, polls.left))
            if job.state.final:
                return job
            if polls.over:
                raise WaitTimeoutError(job, timeout)
            await asyncio.sleep(polls.next_pause())

    async def close(self) -> None:
        """Close the connections."""
        await self._store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _number_rows(values: AsyncIterable[object]) -> AsyncIterator[InputRow]:
    number = 0
    async for value in values:
        number += 1
        yield InputRow(number, value)


async def _batches(values: Iterable[Item] | AsyncIterable[Item]) -> AsyncIterator[list[Item]]:
    """Split an iterable of either kind into lists."""
    if not isinstance(values, AsyncIterable):
        for batch in batched(values):
            yield batch
        return
    items: list[Item] = []
    async for value in values:
        items.append(value)
        if len(items) == BATCH:
            yield items
            items = []
    if items:
        yield items
