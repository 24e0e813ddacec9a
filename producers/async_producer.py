"""The producer for services that run an event loop."""

import asyncio
import math
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Self, TypeVar, Unpack

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from lanes.async_store import AsyncLaneStore, connect
from lanes.durability import Durability
from lanes.enqueueing import Answers, Terms
from lanes.errors import NotDurableError, RedisUnavailableError
from lanes.job import Job
from lanes.settings import Settings
from producers.errors import (
    DurabilityError,
    EnqueueFailedError,
    EnqueueInterruptedError,
    UnknownJobError,
    WaitTimeoutError,
)
from producers.insistence import Insistence
from producers.intake import BATCH, Batch, Item, batches, check_rows, note_answers, number_rows, taken
from producers.model import EnqueueOptions, Options, check
from producers.order import Opportunity, order_for
from producers.producer import POLL_FIRST_SECONDS, POLL_MOST_SECONDS, durability_for, settings_for, waits_of
from producers.protocols import AsyncStore
from producers.receipt import EnqueueReport, Receipt, make_receipt, receipt_of

T = TypeVar("T")


class AsyncOpportunityProducer:
    """`OpportunityProducer` with awaitable methods; see there. Belongs to the event loop that first uses it."""

    def __init__(self, store: AsyncStore, settings: Settings | None = None) -> None:
        self._store = store
        self._settings = settings or Settings.load()
        self._known = self._settings.idempotency_seconds

    @classmethod
    def from_url(cls, redis_url: str) -> Self:
        """See `OpportunityProducer.from_url`."""
        return cls.from_settings(settings_for(redis_url))

    @classmethod
    def from_settings(cls, settings: Settings | None = None) -> Self:
        """See `OpportunityProducer.from_settings`."""
        settings = settings or Settings.load()
        client = connect(settings.redis_url, retry=Retry(NoBackoff(), 0), **waits_of(settings))
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
        order = order_for(self._settings, opportunity, options or None, job_id)
        asked = durability_for(self._settings, durability)
        insistence = Insistence(self._settings.enqueue_timeout_seconds)
        try:
            answer = await insistence.run_async(
                lambda seconds: self._store.enqueue(order, self._known, Terms(asked, seconds)), asyncio.sleep
            )
        except RedisUnavailableError as error:
            raise EnqueueFailedError(order.id, error, may_be_accepted=insistence.may_be_done) from error
        except NotDurableError as error:
            raise DurabilityError(str(asked), str(error), receipt=receipt_of(order, error)) from error
        return make_receipt(order, answer)

    async def enqueue_many(
        self,
        opportunities: Iterable[Opportunity] | AsyncIterable[Opportunity],
        *,
        durability: str | None = None,
        **options: Unpack[Options],
    ) -> EnqueueReport:
        """See `OpportunityProducer.enqueue_many`; takes asynchronous iterables too."""
        common = check(EnqueueOptions, options)
        asked = durability_for(self._settings, durability)
        report = EnqueueReport()
        first = 1
        async for values in _batches(opportunities):
            batch = check_rows(list(number_rows(values, first)), common, self._settings)
            first += len(values)
            await self._enqueue_batch(batch, asked, report)
        return report

    async def _enqueue_batch(self, batch: Batch, asked: Durability, report: EnqueueReport) -> None:
        orders, insistence = batch.orders, Insistence(self._settings.enqueue_timeout_seconds)

        async def attempt(seconds: float) -> Answers:
            return taken(await self._store.enqueue_many(orders, self._known, Terms(asked, seconds)))

        try:
            note_answers(batch, await insistence.run_async(attempt, asyncio.sleep), report)
        except RedisUnavailableError as error:
            raise EnqueueInterruptedError(report, error, may_be_accepted=insistence.may_be_done) from error
        except NotDurableError as error:
            note_answers(batch, error.answers, report)
            raise DurabilityError(str(asked), str(error), report=report) from error

    async def _insist(self, call: Callable[[], Awaitable[T]], most: float = math.inf) -> T:
        insistence = Insistence(min(self._settings.enqueue_timeout_seconds, most))
        return await insistence.run_async(lambda _: call(), asyncio.sleep)

    async def status(self, job_id: str) -> Job:
        """See `OpportunityProducer.status`."""
        return await self._look(job_id)

    async def _look(self, job_id: str, most: float = math.inf) -> Job:
        job = await self._insist(lambda: self._store.job(job_id), most)
        if job is None:
            raise UnknownJobError(job_id)
        return job

    async def cancel(self, job_id: str) -> bool:
        """See `OpportunityProducer.cancel`."""
        answer = await self._insist(lambda: self._store.cancel(job_id, self._settings.retention_seconds))
        if answer == "unknown":
            raise UnknownJobError(job_id)
        return answer == "cancelled"

    async def wait(self, job_id: str, timeout: float) -> Job:  # noqa: ASYNC109 - the same signature as the other face
        """See `OpportunityProducer.wait`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        pause = POLL_FIRST_SECONDS
        while True:
            job = await self._look(job_id, max(0.0, deadline - loop.time()))
            if job.state.final:
                return job
            left = deadline - loop.time()
            if not left > 0:
                raise WaitTimeoutError(job, timeout)
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, POLL_MOST_SECONDS)

    async def close(self) -> None:
        """Give the connections back."""
        await self._store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _batches(values: Iterable[Item] | AsyncIterable[Item]) -> AsyncIterator[list[Item]]:
    """Cut an iterable of either kind into lists."""
    if not isinstance(values, AsyncIterable):
        for batch in batches(values):
            yield batch
        return
    gathered: list[Item] = []
    async for value in values:
        gathered.append(value)
        if len(gathered) == BATCH:
            yield gathered
            gathered = []
    if gathered:
        yield gathered
