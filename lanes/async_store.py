"""The transitions that producers need, over an asynchronous Redis client."""

from collections.abc import Sequence
from typing import Any, cast

import redis.asyncio
from redis.exceptions import NoScriptError, ResponseError

from lanes import transitions
from lanes.job import Accepted, Job, Order
from lanes.keys import DEFAULT_PREFIX
from lanes.loader import load
from lanes.redis_errors import UNAVAILABLE, explain, own_errors, unavailable, url_errors
from lanes.store import accepted_or_error, parse_jobs, queue_job_reads
from lanes.transitions import Argument

MOST_CONNECTIONS = 50


def connect(url: str, **options: Any) -> "redis.asyncio.Redis":
    """Return a client with bounded waits: a Redis that is away is an error within seconds, not a hang.

    Any number of tasks may use it at once: they wait for each other's connections.

    Raises:
        SettingsError: the URL is no URL of a Redis.
    """
    waits = {"socket_connect_timeout": 5, "socket_timeout": 10, "health_check_interval": 30, "timeout": 20}
    with url_errors():
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, **{"max_connections": MOST_CONNECTIONS, **waits, **options}
        )
        pool.connection_class(**pool.connection_kwargs)  # made to see it refuse what it does not know, not to be used
    return redis.asyncio.Redis.from_pool(pool)


class AsyncLaneStore:
    """`LaneStore` for services that run an event loop: enqueue, cancel, read."""

    def __init__(self, client: "redis.asyncio.Redis", prefix: str = DEFAULT_PREFIX) -> None:
        self.client = client
        self.prefix = prefix

    async def _run(self, name: str, *arguments: Argument) -> Any:
        script = load(name, self.prefix)
        try:
            try:
                return await self.client.evalsha(script.sha, 0, *arguments)
            except NoScriptError:
                return await self.client.eval(script.text, 0, *arguments)
        except UNAVAILABLE as error:
            raise unavailable(error) from error
        except ResponseError as error:
            raise explain(script, error) from error

    async def enqueue(self, order: Order, idempotency_seconds: float) -> Accepted:
        """See `LaneStore.enqueue`."""
        arguments = transitions.enqueue_arguments(order, idempotency_seconds)
        return transitions.accepted(await self._run("enqueue", *arguments))

    async def enqueue_many(self, orders: Sequence[Order], idempotency_seconds: float) -> list[Accepted | Exception]:
        """See `LaneStore.enqueue_many`."""
        script = load("enqueue", self.prefix)
        try:
            pipeline = self.client.pipeline(transaction=False)
            pipeline.script_load(script.text)
            for order in orders:
                pipeline.evalsha(script.sha, 0, *transitions.enqueue_arguments(order, idempotency_seconds))
            replies = (await pipeline.execute(raise_on_error=False))[1:]
        except UNAVAILABLE as error:
            raise unavailable(error) from error
        return [accepted_or_error(reply, script) for reply in replies]

    async def cancel(self, job_id: str, retention: float) -> str:
        """See `LaneStore.cancel`."""
        return cast("bytes", await self._run("cancel", job_id, round(retention * 1000))).decode()

    async def job(self, job_id: str) -> Job | None:
        """See `LaneStore.job`."""
        with own_errors():
            pipeline = self.client.pipeline(transaction=True)
            queue_job_reads(pipeline, self.prefix, [job_id])
            return parse_jobs([job_id], await pipeline.execute())[0]
