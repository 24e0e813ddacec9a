"""How much Redis memory a pending job takes besides its body, and a message of the other systems."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import redis

from benchmarks.bodies import Body, make_bodies
from benchmarks.figures import Aim, Figure, Findings
from benchmarks.plan import Plan, progress
from benchmarks.systems import to_celery, to_dramatiq
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.stack import Stack
from producers import OpportunityProducer, UpsertOpportunity

AIM = Aim(at_most=500)
LANES, CELERY, DRAMATIQ = "lanes", "message of apply_async", "message of dramatiq's send"
Fill = Callable[[Sequence[Body]], object]


def measure(plan: Plan) -> Findings:
    """Fill an empty Redis with each kind once: two fills of one kind differ by less than 1 %."""
    bodies = make_bodies(plan.memory)
    sides: dict[str, list[float]] = {}
    pending = 0
    with Stack(plan.folder / "memory") as stack:
        stack.start_redis()
        with _fills(stack) as fills, connect(stack.redis.url) as client:
            for name, fill in fills.items():
                progress(f"memory: {name}, {len(bodies)} jobs")
                sides[name] = [_bytes_per_job(client, fill, bodies)]
                pending = pending or LaneStore(client).counts()["pending"]
            messages = client.hlen("dramatiq:default.msgs")
    figure = Figure("memory", "bytes per waiting job beside its body", sides, [AIM])
    return Findings([figure], {"pending": pending, "messages": messages})


@contextmanager
def _fills(stack: Stack) -> Iterator[dict[str, Fill]]:
    def each(send: Callable[[Body], object]) -> Fill:
        return lambda bodies: [send(body) for body in bodies]

    with (
        OpportunityProducer.from_settings(stack.load_settings()) as producer,
        to_celery(stack) as apply_async,
        to_dramatiq(stack) as send,
    ):
        yield {LANES: producer.enqueue_many, CELERY: each(apply_async), DRAMATIQ: each(send)}


def _bytes_per_job(client: "redis.Redis", fill: Fill, bodies: Sequence[Body]) -> float:
    """Return what Redis grows by for each job, less its body's length; scripts and connections are there before."""
    fill(bodies[:500])
    client.flushall()
    before = client.info("memory")["used_memory"]
    fill(bodies)
    grown: int = client.info("memory")["used_memory"] - before
    return grown / len(bodies) - mean_content(bodies)


def mean_content(bodies: Sequence[Body]) -> float:
    """Return the mean length of the JSON that is sent, in bytes."""
    return sum(len(UpsertOpportunity.model_validate(body).to_json()) for body in bodies) / len(bodies)
