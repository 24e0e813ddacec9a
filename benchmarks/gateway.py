"""CPU of the gateway for a row, compared with that of the asynchronous producer in a service's own process."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
# Callers of single rows. With one, the gateway would wait for its client between two rows and lose the CPU's caches.
AT_ONCE = 8
SERVICE = "benchmark"
TIMEOUT_SECONDS = 60.0
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


class GatewayClients:
    """Clients of the gateway, each with its own connection."""

    def __init__(self, url: str) -> None:
        self._connections = [HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_SECONDS) for _ in range(AT_ONCE)]
        self.key = ""

    def post_each(self, bodies: Sequence[Body]) -> None:
        """Enqueue one by one, each client its part."""

        def post_part(number: int) -> None:
            for body in bodies[number::AT_ONCE]:
                self._post(self._connections[number], "/v1/upserts", json.dumps(body), "application/json")

        with ThreadPoolExecutor(AT_ONCE) as threads:
            for _ in threads.map(post_part, range(AT_ONCE)):  # raises their errors
                pass

    def post_all(self, bodies: Sequence[Body]) -> None:
        """Enqueue in bulk, by one client."""
        lines = "\n".join(map(json.dumps, bodies))
        self._post(self._connections[0], "/v1/upserts/batch", lines, "application/x-ndjson")

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    def _post(self, connection: HTTPConnection, path: str, content: str, media_type: str) -> None:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": media_type}
        connection.request("POST", path, content, headers)
        answer = connection.getresponse()
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
        clients = around.enter_context(closing(GatewayClients(stack.gateway_url)))
        runner = around.enter_context(asyncio.Runner())
        producer = AsyncOpportunityProducer.from_settings(stack.load_settings().model_copy(update={"service": SERVICE}))
        around.callback(lambda: runner.run(producer.close()))

        async def enqueue_each(bodies: Sequence[Body]) -> None:
            async def enqueue_part(number: int) -> None:
                for body in bodies[number::AT_ONCE]:
                    await producer.enqueue(body)

            await asyncio.gather(*map(enqueue_part, range(AT_ONCE)))

        def of_gateway(enqueue: Callable[[Sequence[Body]], object]) -> Way:
            return Way(enqueue, lambda: processor_seconds(gateway.pid))

        ways = {
            (ONE_BY_ONE, GATEWAY): of_gateway(clients.post_each),
            (ONE_BY_ONE, PRODUCER): Way(lambda bodies: runner.run(enqueue_each(bodies)), time.process_time),
            (BULK, GATEWAY): of_gateway(clients.post_all),
            (BULK, PRODUCER): Way(lambda bodies: runner.run(producer.enqueue_many(bodies)), time.process_time),
        }
        costs: dict[tuple[str, str], list[Cost]] = {}
        for run in range(plan.runs + 1):
            for (size, side), way in ways.items():
                clients.key = _empty(redis_client)
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
