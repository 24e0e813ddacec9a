"""How many jobs a second one producer hands over, beside Celery's `apply_async` with the same body."""

import time
from collections.abc import Callable

from benchmarks import bare_celery
from benchmarks.bodies import make_bodies
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.plan import Plan, tell
from lanes.store import connect
from ops.stack import Stack
from producers import OpportunityProducer

BULK_AIM = Aim(ratio=10)


def measure(plan: Plan) -> Findings:
    """Run all three in turn, each on an empty Redis."""
    rates: dict[str, list[float]] = {"single": [], "bulk": [], "celery": []}
    single, bulk = make_bodies(plan.single), make_bodies(plan.bulk)
    with Stack(plan.folder / "enqueue") as stack:
        stack.start_redis()
        with OpportunityProducer.from_settings(stack.load_settings()) as producer, connect(stack.redis.url) as client:
            app = bare_celery.make_app(stack.redis.url)
            task = bare_celery.register(app)

            def one_by_one() -> None:
                for body in single:
                    producer.enqueue(body)

            def in_bulk() -> None:
                if producer.enqueue_many(bulk).accepted != len(bulk):
                    message = "enqueue_many refused some of the benchmark's own rows"
                    raise BenchmarkError(message)

            def by_celery() -> None:
                for body in single:
                    task.apply_async((body,))

            for run in range(1, plan.runs + 1):
                for name, call, count in (
                    ("single", one_by_one, plan.single),
                    ("celery", by_celery, plan.single),
                    ("bulk", in_bulk, plan.bulk),
                ):
                    tell(f"enqueue: run {run} of {plan.runs}: {name}, {count} jobs")
                    client.flushall()
                    rates[name].append(count / _seconds(call))
            app.close()
    beside = "apply_async, one by one"
    return Findings(
        [
            Figure("enqueue", "jobs/s, enqueue", rates["single"], beside, rates["celery"]),
            Figure("enqueue", "jobs/s, enqueue_many", rates["bulk"], beside, rates["celery"], BULK_AIM),
        ],
        {"single": plan.single, "bulk": plan.bulk},
    )


def _seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
