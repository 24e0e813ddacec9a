"""The transitions that producers need, over an asynchronous Redis client."""

from collections.abc import Sequence
from typing import Any, cast

import redis.asyncio
from redis.exceptions import NoScriptError, ResponseError

from lanes import transitions
from lanes.conversation import hold_async
from lanes.enqueueing import DEFAULT_TERMS, Terms, enqueue_talk
from lanes.job import Job
from lanes.keys import DEFAULT_PREFIX, build
from lanes.loader import load
from lanes.order import Accepted, Order
from lanes.reader import carried, carriers_of
from lanes.redis_errors import UNAVAILABLE, explain, unavailable, url_errors
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

    async def enqueue(self, order: Order, idempotency_seconds: float, terms: Terms = DEFAULT_TERMS) -> Accepted:
        """See `LaneStore.enqueue`."""
        answer = (await self.enqueue_many([order], idempotency_seconds, terms))[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def enqueue_many(
        self, orders: Sequence[Order], idempotency_seconds: float, terms: Terms = DEFAULT_TERMS
    ) -> list[Accepted | Exception]:
        """See `LaneStore.enqueue_many`."""
        mark = build(self.prefix, "mark")
        talk = enqueue_talk(load("enqueue", self.prefix), orders, idempotency_seconds, terms, mark)
        return await hold_async(self.client, talk, terms.seconds)

    async def close(self) -> None:
        """Give the connections back."""
        await self.client.aclose()

    async def cancel(self, job_id: str, retention: float) -> str:
        """See `LaneStore.cancel`."""
        return cast("bytes", await self._run("cancel", job_id, round(retention * 1000))).decode()

    async def job(self, job_id: str) -> Job | None:
        """See `LaneStore.job`."""
        jobs = await self._read_jobs([job_id])
        carriers = carriers_of(jobs)
        return carried(jobs, dict(zip(carriers, await self._read_jobs(carriers), strict=True)) if carriers else {})[0]

    async def _read_jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        return transitions.jobs(job_ids, await self._run("read_jobs", *job_ids))
