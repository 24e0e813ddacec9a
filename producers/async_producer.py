"""The producer for services that run an event loop."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, Self

from lanes.async_store import AsyncLaneStore, connect
from lanes.errors import RedisUnavailableError
from lanes.job import Job
from lanes.settings import Settings
from producers.errors import EnqueueInterruptedError, UnknownJobError, WaitTimeoutError
from producers.intake import BATCH, Item, batches, check_rows, note_answers, number_rows
from producers.model import EnqueueOptions, check
from producers.order import Opportunity, order_for
from producers.producer import POLL_FIRST_SECONDS, POLL_MOST_SECONDS, settings_for
from producers.protocols import AsyncStore
from producers.receipt import EnqueueReport, Receipt, make_receipt


class AsyncOpportunityProducer:
    """`OpportunityProducer` with awaitable methods; see there. Belongs to the event loop that first uses it."""

    def __init__(self, store: AsyncStore, settings: Settings | None = None) -> None:
        self._store = store
        self._settings = settings or Settings.load()

    @classmethod
    def from_url(cls, redis_url: str) -> Self:
        """See `OpportunityProducer.from_url`."""
        return cls.from_settings(settings_for(redis_url))

    @classmethod
    def from_settings(cls, settings: Settings | None = None) -> Self:
        """See `OpportunityProducer.from_settings`."""
        settings = settings or Settings.load()
        return cls(AsyncLaneStore(connect(settings.redis_url), settings.prefix), settings)

    async def enqueue(self, opportunity: Opportunity, **options: Any) -> Receipt:
        """See `OpportunityProducer.enqueue`."""
        order = order_for(self._settings, opportunity, options or None)
        return make_receipt(order, await self._store.enqueue(order, self._settings.idempotency_seconds))

    async def enqueue_many(
        self, opportunities: Iterable[Opportunity] | AsyncIterable[Opportunity], **options: Any
    ) -> EnqueueReport:
        """See `OpportunityProducer.enqueue_many`; takes asynchronous iterables too."""
        common = check(EnqueueOptions, options)
        report = EnqueueReport()
        first = 1
        async for values in _batches(opportunities):
            batch = check_rows(list(number_rows(values, first)), common, self._settings)
            first += len(values)
            try:
                answers = await self._store.enqueue_many(batch.orders, self._settings.idempotency_seconds)
                note_answers(batch, answers, report)
            except RedisUnavailableError as error:
                raise EnqueueInterruptedError(report, error) from error
        return report

    async def status(self, job_id: str) -> Job:
        """See `OpportunityProducer.status`."""
        job = await self._store.job(job_id)
        if job is None:
            raise UnknownJobError(job_id)
        return job

    async def cancel(self, job_id: str) -> bool:
        """See `OpportunityProducer.cancel`."""
        answer = await self._store.cancel(job_id, self._settings.retention_seconds)
        if answer == "unknown":
            raise UnknownJobError(job_id)
        return answer == "cancelled"

    async def wait(self, job_id: str, timeout: float) -> Job:  # noqa: ASYNC109 - the same signature as the other face
        """See `OpportunityProducer.wait`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        pause = POLL_FIRST_SECONDS
        while True:
            job = await self.status(job_id)
            if job.state.final:
                return job
            left = deadline - loop.time()
            if left <= 0:
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
