"""How fast a backlog is drained through a server without latency, and with how much processor time per upsert."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import commands, systems
from benchmarks.bodies import make_bodies
from benchmarks.draining import SETTINGS, Drain, drain, send_alone
from benchmarks.figures import Aim, Figure, Findings
from benchmarks.plan import Plan, progress
from benchmarks.redis_server import ALWAYS, EVERYSEC, start_redis
from benchmarks.store_loop import deliver_jobs
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.stack import Stack
from producers import OpportunityProducer

OURS = systems.lanes("lanes", commands.LANES)
SHIPPED = systems.lanes("lanes, always", commands.LANES)
TWO = systems.lanes("lanes, 2 workers", *(commands.as_node(commands.LANES, name) for name in ("one", "two")))
CELERY = (
    systems.celery(f"Celery, {commands.INSTANT_SLOTS} threads", commands.CELERY_THREADS),
    systems.celery("Celery, 2 processes", commands.CELERY_PROCESSES),
)
DRAMATIQ = (
    systems.dramatiq("dramatiq, defaults: 2 x 8 threads", commands.DRAMATIQ_DEFAULT),
    systems.dramatiq(f"dramatiq, 2 x {commands.INSTANT_THREADS} threads", commands.DRAMATIQ_SLOTS),
)
REQUESTS = {"post": "Session.post alone", "prepared": "prepared requests alone"}
CELERY_RATE, DRAMATIQ_RATE, DRAMATIQ_COST = 2, 1.3, 0.8


Drains = Mapping[str, Sequence[Drain]]


def measure(plan: Plan) -> Findings:
    """Drain the same upserts with each side, one after another."""
    bodies = make_bodies(plan.drain)
    sides = (OURS, CELERY[0], DRAMATIQ[0]) if plan.brief else (OURS, SHIPPED, TWO, *CELERY, *DRAMATIQ)
    drains: dict[str, list[Drain]] = {}
    store: list[float] = []
    for run in range(1, plan.runs + 1):
        for number, side in enumerate(sides):
            progress(f"drain: run {run} of {plan.runs}: {side.name}, {len(bodies)} jobs")
            folder, appendfsync = plan.folder / f"drain-{run}-{number}", ALWAYS if side is SHIPPED else EVERYSEC
            drains.setdefault(side.name, []).append(drain(folder, side, bodies, appendfsync=appendfsync))
        for kind, name in REQUESTS.items():
            progress(f"drain: run {run} of {plan.runs}: {name}, {len(bodies)} requests")
            drains.setdefault(name, []).append(_send_alone(plan.folder / f"drain-{run}-{kind}", kind, len(bodies)))
        progress(f"drain: run {run} of {plan.runs}: release and deliver without HTTP, {plan.store} jobs")
        store.append(drain_store(plan.folder / f"drain-{run}-store", plan.store))
    requests = {name: [one.requests for one in found] for name, found in drains.items()}
    without = Figure(
        "drain", "jobs/s without HTTP, release and deliver in one process", {"lanes": store}, redis=EVERYSEC
    )
    return Findings([*_figures(drains), without], {"jobs": len(bodies), "requests": requests})


def _figures(drains: Drains) -> list[Figure]:
    """Return rates and costs; an aim stands beside the best of a kind. What has no queue has a cost of senders only."""

    def figure(measured: str, value: Callable[[Drain], float], *, alone: bool = False) -> Figure:
        names = [name for name in drains if alone or name not in REQUESTS.values()]
        sides = {name: [value(one) for one in drains[name]] for name in names}
        return Figure("drain", measured, sides, redis=EVERYSEC)

    rates = figure("upserts/s", lambda one: one.rate)
    costs = figure("CPU ms per upsert, workers and Redis", lambda one: one.both)
    celery = [side.name for side in CELERY if side.name in drains]
    dramatiq = [side.name for side in DRAMATIQ if side.name in drains]
    rate_aims = [
        Aim(at_least=CELERY_RATE, baseline=rates.best(celery, largest=True)),
        Aim(at_least=DRAMATIQ_RATE, baseline=rates.best(dramatiq, largest=True)),
    ]
    cost_aims = [Aim(at_most=DRAMATIQ_COST, baseline=costs.best(dramatiq, largest=False))]
    return [
        replace(rates, aims=rate_aims),
        replace(costs, aims=cost_aims),
        figure("CPU ms per upsert, workers", lambda one: one.milliseconds, alone=True),
        figure("CPU ms per upsert, Redis", lambda one: one.redis_milliseconds),
    ]


def _send_alone(folder: Path, kind: str, count: int) -> Drain:
    """Send without any queue, one request after the other in a process of its own."""
    return send_alone(folder, lambda url: ["benchmarks.bare_requests", kind, url, str(count)], count)


def drain_store(folder: Path, count: int) -> float:
    """Return how many jobs a second one process releases and reports as delivered, with nothing in between."""
    with Stack(folder, SETTINGS) as stack:
        start_redis(stack, EVERYSEC)
        with OpportunityProducer.from_settings(stack.load_settings()) as producer:
            producer.enqueue_many(make_bodies(count))
        with connect(stack.redis.url) as client:
            return count / deliver_jobs(LaneStore(client), count)
