"""CPU of the gateway for a row, compared with that of the asynchronous producer in a service's own process."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from benchmarks.bodies import Body, make_bodies
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.plan import Plan, progress
from benchmarks.processor_time import processor_seconds
from benchmarks.redis_server import EVERYSEC, start_redis
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from ops.embedded.stack import Stack
from producers import AsyncOpportunityProducer

GATEWAY, PRODUCER = "gateway", "the producer itself"
AIMS = [Aim(at_most=3, baseline=PRODUCER)]
MICROSECONDS = 1_000_000
# Sends bodies; returns the CPU seconds of the process that enqueued them.
Way = Callable[[Sequence[Body]], float]


def measure(plan: Plan) -> Findings:
    """Enqueue the same bodies both ways: one by one, and in bulk."""
    with Stack(plan.folder / "gateway") as stack:
        start_redis(stack, EVERYSEC)
        with connect(stack.redis.url) as client:
            store = LaneStore(client)
            ServiceStore(store).add(Service("benchmark", outcomes=False))
            key = ServiceStore(store).make_key("benchmark")
            gateway = stack.start_gateway()
            with asyncio.Runner() as runner, closing(_connection(stack)) as connection:
                headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
                ways = _ways(stack, runner, connection, headers, gateway.pid)
                figures = [
                    Figure("gateway", f"us of CPU for a row, {name}", _run(plan, name, bodies, sides), AIMS, EVERYSEC)
                    for name, bodies, sides in (
                        ("one by one", make_bodies(plan.single), ways[0]),
                        ("in bulk", make_bodies(plan.bulk), ways[1]),
                    )
                ]
            counts = {"accepted": store.counts()["accepted"]}
    return Findings(figures, counts)


def _connection(stack: Stack) -> HTTPConnection:
    return HTTPConnection(urlsplit(stack.gateway_url).netloc)


def _run(plan: Plan, name: str, bodies: Sequence[Body], sides: dict[str, Way]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for way in sides.values():
        way(bodies[:10])  # connects, and loads the script
    for run in range(1, plan.runs + 1):
        for side, way in sides.items():
            progress(f"gateway: run {run} of {plan.runs}: {side}, {name}, {len(bodies)} rows")
            found.setdefault(side, []).append(MICROSECONDS * way(bodies) / len(bodies))
    return found


def _ways(
    stack: Stack, runner: asyncio.Runner, connection: HTTPConnection, headers: dict[str, str], gateway: int
) -> tuple[dict[str, Way], dict[str, Way]]:
    """Return the ways to enqueue one by one, and in bulk."""
    producer = AsyncOpportunityProducer.from_settings(stack.load_settings())

    async def one_by_one(bodies: Sequence[Body]) -> None:
        for body in bodies:
            await producer.enqueue(body)

    def post(path: str, content: str, kind: str) -> None:
        connection.request("POST", path, content, {**headers, "Content-Type": kind})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 202):
            raise BenchmarkError(text.decode())

    def post_each(bodies: Sequence[Body]) -> None:
        for body in bodies:
            post("/v1/upserts", json.dumps(body), "application/json")

    def post_all(bodies: Sequence[Body]) -> None:
        post("/v1/upserts/batch", "\n".join(map(json.dumps, bodies)), "application/x-ndjson")

    def of_gateway(enqueue: Callable[[Sequence[Body]], object]) -> Way:
        return _timed(enqueue, lambda: processor_seconds(gateway))

    def of_producer(enqueue: Callable[[Sequence[Body]], Coroutine[Any, Any, object]]) -> Way:
        return _timed(lambda bodies: runner.run(enqueue(bodies)), time.process_time)

    return (
        {GATEWAY: of_gateway(post_each), PRODUCER: of_producer(one_by_one)},
        {GATEWAY: of_gateway(post_all), PRODUCER: of_producer(producer.enqueue_many)},
    )


def _timed(enqueue: Callable[[Sequence[Body]], object], clock: Callable[[], float]) -> Way:
    def way(bodies: Sequence[Body]) -> float:
        started = clock()
        enqueue(bodies)
        return clock() - started

    return way
