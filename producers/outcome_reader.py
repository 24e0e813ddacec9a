"""Reading outcomes: a part of both producers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from lanes.errors import RedisUnavailableError, SettingsError
from lanes.outcomes.steps import Ask, Steps, run_steps, run_steps_async
from lanes.outcomes.stream import GroupReader, OutcomePage, OutcomeStream
from lanes.settings import ProducerSettings
from producers.outcomes import (
    CLAIM_SECONDS,
    MAX_BLOCK_SECONDS,
    AsyncReceivedOutcome,
    ReceivedOutcome,
    receive,
    receive_async,
)
from producers.protocols import AsyncStore, Store
from producers.retry import ATTEMPT_SHARE, RetryBudget, polls_within


def outcome_stream(settings: ProducerSettings, service: str | None) -> OutcomeStream:
    """Return the stream of a service, by default that of the settings.

    Raises:
        SettingsError: there is none.
    """
    name = service or settings.service
    if not name:
        raise SettingsError("whose outcomes? Set LANES_SERVICE, or name the service")
    return OutcomeStream(settings.prefix, name)


def block_seconds(settings: ProducerSettings) -> float:
    """Return how long a call may wait for an outcome: less than the client waits for a reply."""
    return min(MAX_BLOCK_SECONDS, settings.enqueue_timeout_seconds * ATTEMPT_SHARE / 2)


class OutcomeReader:
    """The methods of `OpportunityProducer` that read outcomes."""

    _store: Store
    _settings: ProducerSettings

    def outcomes(
        self,
        group: str,
        *,
        service: str | None = None,
        wait: float | None = None,
        claim_seconds: float = CLAIM_SECONDS,
    ) -> Iterator[ReceivedOutcome]:
        """Yield what becomes of the service's jobs, each at least once, until its `ack()`.

        Processes of the same group share the outcomes; each group gets all of them. A new group begins with the oldest
        that is kept. While Redis is away, this waits for it, but not for the first outcome.

        Args:
            group: a name of your choice.
            service: whose outcomes; default: `LANES_SERVICE`.
            wait: end when there was no outcome for so many seconds. Default: never.
            claim_seconds: an outcome that is not acknowledged by then comes again, to any process of the group.

        Raises:
            NoOutcomesError: the service was not added, or with `--no-outcomes`.
            SettingsError: no service is named.
        """
        stream, block = outcome_stream(self._settings, service), block_seconds(self._settings)
        self._run_steps(stream.check())
        reader = GroupReader(stream, group, claim_seconds)
        return receive(self._run_steps, self._run_patiently, reader, block, wait)

    def read_outcomes(
        self, service: str | None = None, after: str | None = None, count: int = 100, wait: float = 0.0
    ) -> OutcomePage:
        """Return outcomes after a cursor, the `cursor` of an earlier page; None is the oldest that is kept.

        Waits up to `wait` seconds for one. Nothing is acknowledged: whoever keeps a cursor reads as often as they like.

        Raises:
            CursorError: `after` is no cursor.
            NoOutcomesError: the service was not added, or with `--no-outcomes`.
            SettingsError: no service is named.
        """
        stream, polls = outcome_stream(self._settings, service), polls_within(wait)
        while True:
            page: OutcomePage = self._run_steps(stream.page(after, count))
            if page.outcomes or page.trimmed or not polls.sleep():
                return page

    def _run_steps(self, steps: Steps[Any]) -> Any:
        return run_steps(self._read_in_time, steps)

    def _run_patiently(self, steps: Steps[Any]) -> Any:
        """Run steps, however long Redis is away."""
        return run_steps(self._read_patiently, steps)

    def _read_in_time(self, ask: Ask) -> Any:
        return RetryBudget(self._settings.enqueue_timeout_seconds).run(lambda _: self._store.read(ask))

    def _read_patiently(self, ask: Ask) -> Any:
        while True:
            try:
                return self._read_in_time(ask)
            except RedisUnavailableError as error:
                if not error.trouble.is_transient:
                    raise


class AsyncOutcomeReader:
    """The methods of `AsyncOpportunityProducer` that read outcomes."""

    _store: AsyncStore
    _settings: ProducerSettings

    async def outcomes(
        self,
        group: str,
        *,
        service: str | None = None,
        wait: float | None = None,
        claim_seconds: float = CLAIM_SECONDS,
    ) -> AsyncIterator[AsyncReceivedOutcome]:
        """See `OpportunityProducer.outcomes`: `async for outcome in producer.outcomes(...)`, `await outcome.ack()`."""
        stream, block = outcome_stream(self._settings, service), block_seconds(self._settings)
        await self._run_steps(stream.check())
        reader = GroupReader(stream, group, claim_seconds)
        async for outcome in receive_async(self._run_steps, self._run_patiently, reader, block, wait):
            yield outcome

    async def read_outcomes(
        self, service: str | None = None, after: str | None = None, count: int = 100, wait: float = 0.0
    ) -> OutcomePage:
        """See `OpportunityProducer.read_outcomes`."""
        stream, polls = outcome_stream(self._settings, service), polls_within(wait)
        while True:
            page: OutcomePage = await self._run_steps(stream.page(after, count))
            if page.outcomes or page.trimmed or polls.over:
                return page
            await asyncio.sleep(polls.next_pause())

    async def _run_steps(self, steps: Steps[Any]) -> Any:
        return await run_steps_async(self._read_in_time, steps)

    async def _run_patiently(self, steps: Steps[Any]) -> Any:
        """Run steps, however long Redis is away."""
        return await run_steps_async(self._read_patiently, steps)

    async def _read_in_time(self, ask: Ask) -> Any:
        retry_budget = RetryBudget(self._settings.enqueue_timeout_seconds)
        return await retry_budget.run_async(lambda _: self._store.read(ask), asyncio.sleep)

    async def _read_patiently(self, ask: Ask) -> Any:
        while True:
            try:
                return await self._read_in_time(ask)
            except RedisUnavailableError as error:
                if not error.trouble.is_transient:
                    raise
