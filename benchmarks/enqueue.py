"""Jobs per second that one producer enqueues, compared with `apply_async` and dramatiq's `send` on the same bodies."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.bodies import Body, make_bodies
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.plan import Plan, progress
from benchmarks.redis_server import ALWAYS, EVERYSEC, RedisUse, start_redis
from benchmarks.systems import to_celery, to_dramatiq
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.stack import Stack
from producers import AsyncOpportunityProducer, OpportunityProducer

BULK_AIM, SINGLE_AIM = 15, 1
AT_ONCE = 50
SINGLE, BULK, ASYNC = "enqueue", "enqueue_many", f"async enqueue, {AT_ONCE} at once"
CELERY, DRAMATIQ = "apply_async, one by one", "dramatiq send, one by one"
OURS = (SINGLE, ASYNC, BULK)
OTHERS = (CELERY, DRAMATIQ)
SHIPPED = ", always"
AIMS = {
    SINGLE: [Aim(at_least=SINGLE_AIM, baseline=DRAMATIQ)],
    BULK: [Aim(at_least=BULK_AIM, baseline=CELERY)],
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way to enqueue: a call, and how many jobs it enqueues."""

    call: Callable[[], object]
    jobs: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Jobs a second, and microseconds of Redis' processor time for a job."""

    rate: float
    redis: float


def measure(plan: Plan) -> Findings:
    """Run all, one after another, each on an empty Redis; ours also on the one that is shipped."""
    costs: dict[str, list[Cost]] = {}
    with Stack(plan.folder / "enqueue") as stack:
        start_redis(stack, EVERYSEC)
        with _ways(stack, plan) as ways, connect(stack.redis.url) as client:
            sides = [(name, name, EVERYSEC) for name in ways] + [(f"{name}{SHIPPED}", name, ALWAYS) for name in OURS]
            for run in range(1, plan.runs + 1):
                for side, name, appendfsync in sides:
                    progress(f"enqueue: run {run} of {plan.runs}: {side}, {ways[name].jobs} jobs")
                    client.flushall()
                    client.config_set("appendfsync", appendfsync)
                    costs.setdefault(side, []).append(_cost(stack, ways[name]))
                    if name in OURS and LaneStore(client).counts()["pending"] != ways[name].jobs:
                        message = f"{name} did not enqueue all of the benchmark's own rows"
                        raise BenchmarkError(message)
            counts = {name: way.jobs for name, way in ways.items()}
    return Findings([*_figures(costs)], counts)


def _cost(stack: Stack, way: Way) -> Cost:
    before, started = RedisUse.read(stack.redis.url), time.perf_counter()
    way.call()
    seconds = time.perf_counter() - started
    return Cost(way.jobs / seconds, RedisUse.read(stack.redis.url).microseconds_since(before, way.jobs))


def _figures(costs: dict[str, list[Cost]]) -> Iterator[Figure]:
    for name in OURS:
        sides = (name, f"{name}{SHIPPED}", *OTHERS)
        rates = {side: [one.rate for one in costs[side]] for side in sides}
        yield Figure("enqueue", f"jobs/s, {name}", rates, AIMS.get(name, ()), EVERYSEC)
    used = {side: [one.redis for one in costs[side]] for side in (BULK, SINGLE, *OTHERS)}
    yield Figure("enqueue", "us of Redis' CPU for a job", used, redis=EVERYSEC)


@contextmanager
def _ways(stack: Stack, plan: Plan) -> Iterator[dict[str, Way]]:
    single, bulk = make_bodies(plan.single), make_bodies(plan.bulk)
    settings = stack.load_settings()
    with (
        OpportunityProducer.from_settings(settings) as producer,
        to_celery(stack) as apply_async,
        to_dramatiq(stack) as send,
        asyncio.Runner() as runner,
    ):
        asynchronous = AsyncOpportunityProducer.from_settings(settings)

        def one_by_one(hand_over: Callable[[Body], object]) -> None:
            for body in single:
                hand_over(body)

        yield {
            SINGLE: Way(lambda: one_by_one(producer.enqueue), plan.single),
            CELERY: Way(lambda: one_by_one(apply_async), plan.single),
            DRAMATIQ: Way(lambda: one_by_one(send), plan.single),
            ASYNC: Way(lambda: runner.run(_at_once(asynchronous, single)), plan.single),
            BULK: Way(lambda: producer.enqueue_many(bulk), plan.bulk),
        }
        runner.run(asynchronous.close())


async def _at_once(producer: AsyncOpportunityProducer, bodies: list[Body]) -> None:
    for start in range(0, len(bodies), AT_ONCE):
        await asyncio.gather(*(producer.enqueue(body) for body in bodies[start : start + AT_ONCE]))
