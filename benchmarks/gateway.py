"""CPU of the gateway for a row, compared with that of the asynchronous producer in a service's own process."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

import redis

from benchmarks.bodies import Body, make_bodies
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.plan import Plan, progress
from benchmarks.processor_time import processor_seconds
from benchmarks.redis_server import EVERYSEC, RedisUse, start_redis
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from ops.embedded.stack import Stack
from producers import AsyncOpportunityProducer

GATEWAY, PRODUCER = "gateway", "the producer itself"
ONE_BY_ONE, BULK = "one by one", "in bulk"
AIM = 3
SERVICE = "benchmark"
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Way:
    """One way to enqueue rows, and a clock of the CPU seconds of the process that enqueues them."""

    enqueue: Callable[[Sequence[Body]], object]
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU for a row: of the process that enqueues it, and of Redis."""

    process: float
    redis: float


class GatewayClient:
    """A client of the gateway with one connection."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc)
        self.key = ""

    def post_each(self, bodies: Sequence[Body]) -> None:
        """Enqueue one by one."""
        for body in bodies:
            self._post("/v1/upserts", json.dumps(body), "application/json")

    def post_all(self, bodies: Sequence[Body]) -> None:
        """Enqueue in bulk."""
        self._post("/v1/upserts/batch", "\n".join(map(json.dumps, bodies)), "application/x-ndjson")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _post(self, path: str, content: str, media_type: str) -> None:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": media_type}
        self._connection.request("POST", path, content, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 202):
            raise BenchmarkError(text.decode())


def measure(plan: Plan) -> Findings:
    """Enqueue the same bodies both ways, one by one and in bulk, each time into an empty Redis."""
    rows = {ONE_BY_ONE: make_bodies(plan.single), BULK: make_bodies(plan.bulk)}
    with Stack(plan.folder / "gateway") as stack, ExitStack() as around:
        start_redis(stack, EVERYSEC)
        redis_client = around.enter_context(connect(stack.redis.url))
        gateway = stack.start_gateway()
        client = around.enter_context(closing(GatewayClient(stack.gateway_url)))
        runner = around.enter_context(asyncio.Runner())
        producer = AsyncOpportunityProducer.from_settings(stack.load_settings().model_copy(update={"service": SERVICE}))
        around.callback(lambda: runner.run(producer.close()))

        async def enqueue_each(bodies: Sequence[Body]) -> None:
            for body in bodies:
                await producer.enqueue(body)

        def of_gateway(enqueue: Callable[[Sequence[Body]], object]) -> Way:
            return Way(enqueue, lambda: processor_seconds(gateway.pid))

        ways = {
            (ONE_BY_ONE, GATEWAY): of_gateway(client.post_each),
            (ONE_BY_ONE, PRODUCER): Way(lambda bodies: runner.run(enqueue_each(bodies)), time.process_time),
            (BULK, GATEWAY): of_gateway(client.post_all),
            (BULK, PRODUCER): Way(lambda bodies: runner.run(producer.enqueue_many(bodies)), time.process_time),
        }
        costs: dict[tuple[str, str], list[Cost]] = {}
        for run in range(plan.runs + 1):
            for (size, side), way in ways.items():
                client.key = _empty(redis_client)
                if run == 0:
                    way.enqueue(rows[size][:10])  # connects, and loads the scripts
                    continue
                progress(f"gateway: run {run} of {plan.runs}: {side}, {size}, {len(rows[size])} rows")
                costs.setdefault((size, side), []).append(_cost(redis_client, stack.redis.url, way, rows[size]))
    return Findings(list(_figures(costs)), {size: len(bodies) for size, bodies in rows.items()})


def _empty(client: "redis.Redis") -> str:
    """Empty Redis, add the service again, and return a key for it."""
    client.flushall()
    services = ServiceStore(LaneStore(client))
    services.add(Service(SERVICE, outcomes=False))
    return services.make_key(SERVICE)


def _cost(client: "redis.Redis", redis_url: str, way: Way, bodies: Sequence[Body]) -> Cost:
    """Enqueue rows, and return what one of them took.

    Raises:
        BenchmarkError: not all of them are pending then.
    """
    before, redis_before = way.clock(), RedisUse.read(redis_url)
    way.enqueue(bodies)
    seconds, redis_after = way.clock() - before, RedisUse.read(redis_url)
    if (pending := LaneStore(client).counts()["pending"]) != len(bodies):
        message = f"gateway: {pending} of {len(bodies)} rows are pending"
        raise BenchmarkError(message)
    return Cost(MICROSECONDS * seconds / len(bodies), redis_after.microseconds_since(redis_before, len(bodies)))


def _figures(costs: dict[tuple[str, str], list[Cost]]) -> Iterator[Figure]:
    aims = [Aim(at_most=AIM, baseline=PRODUCER)]
    for size in (ONE_BY_ONE, BULK):
        found = {side: costs[size, side] for side in (GATEWAY, PRODUCER)}
        process = {side: [one.process for one in runs] for side, runs in found.items()}
        redis_cpu = {side: [one.redis for one in runs] for side, runs in found.items()}
        yield Figure("gateway", f"us of CPU for a row, {size}", process, aims, EVERYSEC)
        yield Figure("gateway", f"us of Redis' CPU for a row, {size}", redis_cpu, redis=EVERYSEC)
