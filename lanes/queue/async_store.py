"""The transitions that producers need, over an asynchronous Redis client."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from lanes.queue import transitions
from lanes.queue.connecting import TIMEOUTS
from lanes.queue.enqueueing import (
    DEFAULT_DURABILITY_POLICY,
    DurabilityPolicy,
    enqueue_exchange,
    new_bulk,
    split_into_calls,
)
from lanes.queue.exchange import run_exchange_async
from lanes.queue.job import Job
from lanes.queue.job_reader import merge_targets, with_merge_outcomes
from lanes.queue.new_job import EnqueueResult, NewJob
from lanes.settings.redis_url import raise_if_wrong
from lanes.storage.access import readable
from lanes.storage.keys import DEFAULT_PREFIX, build
from lanes.storage.redis_errors import UNAVAILABLE, explain, own_errors, unavailable
from lanes.storage.scripts import Argument, load
from lanes.storage.stored import Note, ignore, text_of
from lanes.storage.usable import add_questions, check_usable

MAX_CONNECTIONS = 50


class _EndedConnection:
    """A connection that has just ended raises the usual error: uvloop raises a `RuntimeError` for its transport."""

    async def send_packed_command(self, *arguments: Any, **options: Any) -> None:
        try:
            await super().send_packed_command(*arguments, **options)  # type: ignore[misc]
        except RuntimeError as error:
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise RedisConnectionError(str(error)) from error


def connect(url: str, **options: Any) -> "redis.asyncio.Redis":
    """Return a client with timeouts: an unreachable Redis raises an error within seconds.

    Any number of tasks may share it: they wait for free connections.

    Raises:
        SettingsError: the URL is no URL of a Redis.
    """
    raise_if_wrong(url)
    options = {"max_connections": MAX_CONNECTIONS, **TIMEOUTS, "timeout": 20, **options}
    pool = redis.asyncio.BlockingConnectionPool.from_url(url, **options)
    pool.connection_class = type("Connection", (_EndedConnection, pool.connection_class), {})
    return redis.asyncio.Redis.from_pool(pool)


class AsyncLaneStore:
    """`LaneStore` for services with an event loop: enqueue, cancel, read."""

    def __init__(self, client: "redis.asyncio.Redis", prefix: str = DEFAULT_PREFIX) -> None:
        self.prefix = prefix
        self._client = client
        self._checked = False

    async def _checked_client(self) -> "redis.asyncio.Redis":
        """See `RedisAccess.check_usable`."""
        if not self._checked:
            with own_errors():
                pipeline = self._client.pipeline(transaction=False)
                add_questions(pipeline, build(self.prefix, "schema"))
                check_usable(*await pipeline.execute(raise_on_error=False))
            self._checked = True
        return self._client

    async def _run(self, name: str, *arguments: Argument) -> Any:
        script, declared = load(name), build(self.prefix, "schema")
        client = await self._checked_client()
        try:
            try:
                return await client.evalsha(script.sha, 1, declared, *arguments)
            except NoScriptError:
                return await client.eval(script.text, 1, declared, *arguments)
        except UNAVAILABLE as error:
            raise unavailable(error) from error
        except ResponseError as error:
            raise explain(script, error) from error

    async def enqueue(
        self,
        new_job: NewJob,
        idempotency_seconds: float,
        policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
    ) -> EnqueueResult:
        """See `LaneStore.enqueue`."""
        answer = (await self.enqueue_calls([[new_job]], idempotency_seconds, policy))[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def enqueue_many(
        self,
        new_jobs: Sequence[NewJob],
        idempotency_seconds: float,
        policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
    ) -> list[EnqueueResult | Exception]:
        """See `LaneStore.enqueue_many`."""
        return await self.enqueue_calls(split_into_calls(new_jobs), idempotency_seconds, policy, new_bulk())

    async def enqueue_calls(
        self,
        calls: Iterable[Sequence[NewJob]],
        idempotency_seconds: float,
        policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
        bulk: str = "",
    ) -> list[EnqueueResult | Exception]:
        """See `LaneStore.enqueue_calls`."""
        script = load("enqueue")
        exchange = enqueue_exchange(script, calls, idempotency_seconds, policy, self.prefix, bulk=bulk)
        return await run_exchange_async(await self._checked_client(), exchange, policy.seconds)

    async def read(self, ask: Callable[[Any], Any]) -> Any:
        """See `LaneStore.read`."""
        client = await self._checked_client()
        with own_errors():
            return await ask(client)

    async def info(self) -> dict[str, Any]:
        """See `LaneStore.info`."""
        client = await self._checked_client()
        with own_errors():
            return dict(await client.info())

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def cancel(self, job_id: str, retention: float) -> str:
        """See `LaneStore.cancel`."""
        return text_of(await self._run("cancel", job_id, round(retention * 1000)))

    async def job(self, job_id: str) -> Job | None:
        """See `LaneStore.job`."""
        one = transitions.OneJob(ignore)
        jobs = await self._read_jobs([job_id], one.note)
        targets = merge_targets(jobs)
        found = await self._read_jobs(targets, ignore) if targets else []
        return one.checked(with_merge_outcomes(jobs, dict(zip(targets, found, strict=True)))[0])

    async def _read_jobs(self, job_ids: Sequence[str], note: Note) -> list[Job | None]:
        reply = readable(await self._run("read_jobs", *job_ids), self.prefix, note)
        return transitions.jobs(job_ids, reply, note)
