"""How much of Redis's memory a waiting job takes beside its body, and a Celery message with the same body."""

from collections.abc import Callable

import redis

from benchmarks import bare_celery
from benchmarks.bodies import make_bodies
from benchmarks.figures import Aim, Figure, Findings
from benchmarks.plan import Plan, tell
from lanes.store import LaneStore, connect
from ops.stack import Stack
from producers import OpportunityProducer, UpsertOpportunity

AIM = Aim(most=700)
Bodies = list[dict[str, object]]
Fill = Callable[[Bodies], None]


def measure(plan: Plan) -> Findings:
    """Fill an empty Redis with each in turn, once: two fills of the same kind differ by less than a hundredth."""
    bodies = make_bodies(plan.memory)
    with Stack(plan.folder / "memory") as stack:
        stack.start_redis()
        app = bare_celery.make_app(stack.redis.url)
        task = bare_celery.register(app)
        with OpportunityProducer.from_settings(stack.load_settings()) as producer, connect(stack.redis.url) as client:

            def fill_lanes(rows: Bodies) -> None:
                producer.enqueue_many(rows)

            def fill_celery(rows: Bodies) -> None:
                for row in rows:
                    task.apply_async((row,))

            tell(f"memory: lanes, {len(bodies)} jobs")
            ours = _bytes_per_job(client, fill_lanes, bodies)
            pending = LaneStore(client).counts()["pending"]
            tell(f"memory: Celery, {len(bodies)} messages")
            theirs = _bytes_per_job(client, fill_celery, bodies)
            messages = client.llen("celery")
        app.close()
    figure = Figure("memory", "bytes per waiting job beside its body", [ours], "message of apply_async", [theirs], AIM)
    return Findings([figure], {"pending": pending, "messages": messages})


def _bytes_per_job(client: "redis.Redis", fill: Fill, bodies: Bodies) -> float:
    """Return what Redis grows by for each job, less its body's length; scripts and connections are there before."""
    fill(bodies[:500])
    client.flushall()
    before = client.info("memory")["used_memory"]
    fill(bodies)
    content = sum(len(UpsertOpportunity.model_validate(body).to_json()) for body in bodies)
    return float(client.info("memory")["used_memory"] - before - content) / len(bodies)
