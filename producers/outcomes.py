"""Outcomes as a service receives them: one by one, each until it is acknowledged."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from lanes.outcomes.outcome import Entry, Outcome
from lanes.outcomes.steps import Ask, Steps
from lanes.outcomes.stream import GroupReader
from lanes.storage.stored import as_plain

CLAIM_SECONDS = 60.0
MAX_BLOCK_SECONDS = 1.0

Ack = TypeVar("Ack", bound=Callable[[], Any])
Run = Callable[[Steps[Any]], Any]


@dataclass(frozen=True, slots=True)
class _Received(Outcome, Generic[Ack]):
    _ack: Ack = field(repr=False, compare=False, kw_only=True)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return as_plain(self, "_ack")


class ReceivedOutcome(_Received[Callable[[], None]]):
    """An outcome that comes again unless it is acknowledged."""

    __slots__ = ()

    def ack(self) -> None:
        """Say that it is done with: it does not come again. Call it after your own work on it."""
        self._ack()


class AsyncReceivedOutcome(_Received[Callable[[], Awaitable[None]]]):
    """An outcome that comes again unless it is acknowledged."""

    __slots__ = ()

    async def ack(self) -> None:
        """See `ReceivedOutcome.ack`."""
        await self._ack()


class Batch:
    """Entries that were read together. An entry is acknowledged with the last of its outcomes.

    `renewal` keeps those that are left from coming to another process, as long as this one is fast enough.
    """

    def __init__(self, reader: GroupReader, entries: Sequence[Entry]) -> None:
        self._reader = reader
        self._claim_seconds = reader.claim_seconds
        self._read_at = time.monotonic()
        self._open = {entry.id: {outcome.job_id for outcome in entry.outcomes} for entry in entries}
        self.entries = entries

    def acknowledged(self, entry: Entry, outcome: Outcome) -> Ask | None:
        """Note an outcome as done with; return the step to run once its whole entry is."""
        left = self._open.get(entry.id)
        if left is None:
            return None
        left.discard(outcome.job_id)
        return None if left else self._reader.ack(entry.id)

    def forget(self, entry: Entry) -> None:
        """Note that Redis knows of an acknowledged entry."""
        self._open.pop(entry.id, None)

    @property
    def is_over(self) -> bool:
        """Whether others may have the entries that are left by now."""
        return time.monotonic() - self._read_at >= self._claim_seconds

    def renewal(self) -> Steps[None] | None:
        """Return the steps that keep what is left, if it is time for it."""
        if time.monotonic() - self._read_at < self._claim_seconds / 2 or not self._open:
            return None
        self._read_at = time.monotonic()
        return self._reader.renew(*self._open)


def one(ask: Ask) -> Steps[Any]:
    """Return steps with a single command."""
    return (yield ask)


def receive(
    run: Run, patiently: Run, reader: GroupReader, block: float, wait: float | None
) -> Iterator[ReceivedOutcome]:
    """Yield outcomes; end when there was none for `wait` seconds, or never for None.

    `run` raises an error if Redis is unreachable; `patiently` retries until it is back.
    """
    read, last = run, time.monotonic()
    while True:
        entries = read(reader.read(block if wait is None else min(block, wait)))
        read = patiently
        if entries:
            yield from _of_batch(patiently, Batch(reader, entries))
            last = time.monotonic()
        elif wait is not None and time.monotonic() - last >= wait:
            return


def _of_batch(run: Run, batch: Batch) -> Iterator[ReceivedOutcome]:
    for entry in batch.entries:
        for outcome in entry.outcomes:
            if batch.is_over:
                return
            if (renewal := batch.renewal()) is not None:
                run(renewal)

            def ack(entry: Entry = entry, outcome: Outcome = outcome) -> None:
                if (step := batch.acknowledged(entry, outcome)) is not None:
                    run(one(step))
                    batch.forget(entry)

            yield ReceivedOutcome(**as_plain(outcome), _ack=ack)


async def receive_async(
    run: Callable[[Steps[Any]], Awaitable[Any]],
    patiently: Callable[[Steps[Any]], Awaitable[Any]],
    reader: GroupReader,
    block: float,
    wait: float | None,
) -> AsyncIterator[AsyncReceivedOutcome]:
    """`receive`, in an event loop."""
    read, last = run, time.monotonic()
    while True:
        entries = await read(reader.read(block if wait is None else min(block, wait)))
        read = patiently
        if entries:
            async for outcome in _of_batch_async(patiently, Batch(reader, entries)):
                yield outcome
            last = time.monotonic()
        elif wait is not None and time.monotonic() - last >= wait:
            return


async def _of_batch_async(
    run: Callable[[Steps[Any]], Awaitable[Any]], batch: Batch
) -> AsyncIterator[AsyncReceivedOutcome]:
    for entry in batch.entries:
        for outcome in entry.outcomes:
            if batch.is_over:
                return
            if (renewal := batch.renewal()) is not None:
                await run(renewal)

            async def ack(entry: Entry = entry, outcome: Outcome = outcome) -> None:
                if (step := batch.acknowledged(entry, outcome)) is not None:
                    await run(one(step))
                    batch.forget(entry)

            yield AsyncReceivedOutcome(**as_plain(outcome), _ack=ack)
