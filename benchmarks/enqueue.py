"""Jobs per second that one producer enqueues, compared with `apply_async` and dramatiq's `send` on the same bodies."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.bodies import Body, make_bodies
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.plan import Plan, progress
from benchmarks.systems import to_celery, to_dramatiq
from lanes.queue.store import LaneStore, connect
from ops.embedded.stack import Stack
from producers import AsyncOpportunityProducer, OpportunityProducer

BULK_AIM = 10
AT_ONCE = 50
SINGLE, BULK, ASYNC = "enqueue", "enqueue_many", f"async enqueue, {AT_ONCE} at once"
CELERY, DRAMATIQ = "apply_async, one by one", "dramatiq send, one by one"
OURS = (SINGLE, ASYNC, BULK)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to enqueue: a call, and how many jobs it enqueues."""

    call: Callable[[], object]
    jobs: int


def measure(plan: Plan) -> Findings:
    """Run all, one after another, each on an empty Redis."""
    rates: dict[str, list[float]] = {}
    with Stack(plan.folder / "enqueue") as stack:
        stack.start_redis()
        with _ways(stack, plan) as ways, connect(stack.redis.url) as client:
            for run in range(1, plan.runs + 1):
                for name, way in ways.items():
                    progress(f"enqueue: run {run} of {plan.runs}: {name}, {way.jobs} jobs")
                    client.flushall()
                    started = time.perf_counter()
                    way.call()
                    rates.setdefault(name, []).append(way.jobs / (time.perf_counter() - started))
                    if name in OURS and LaneStore(client).counts()["pending"] != way.jobs:
                        message = f"{name} did not enqueue all of the benchmark's own rows"
                        raise BenchmarkError(message)
            counts = {name: way.jobs for name, way in ways.items()}
    return Findings([_figure(name, rates) for name in OURS], counts)


def _figure(name: str, rates: dict[str, list[float]]) -> Figure:
    sides = {side: rates[side] for side in (name, CELERY, DRAMATIQ)}
    return Figure(
        "enqueue", f"jobs/s, {name}", sides, [Aim(at_least=BULK_AIM, baseline=CELERY)] if name == BULK else []
    )


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
