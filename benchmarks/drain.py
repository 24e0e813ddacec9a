"""How fast a backlog is drained through a server without latency, and with how much processor time per upsert."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import commands, systems
from benchmarks.api_server import ApiServer
from benchmarks.bodies import Body, make_bodies
from benchmarks.environment import until
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.plan import Plan, progress
from benchmarks.store_loop import PLENTY, deliver_jobs
from benchmarks.systems import System, spent
from lanes.queue.store import LaneStore, connect
from ops.embedded.stack import Stack
from producers import OpportunityProducer

OURS = systems.lanes("lanes", commands.LANES)
TWO = systems.lanes("lanes, 2 workers", *(commands.as_node(commands.LANES, name) for name in ("one", "two")))
CELERY = (
    systems.celery(f"Celery, {commands.SLOTS} threads", commands.CELERY_THREADS),
    systems.celery("Celery, 2 processes", commands.CELERY_PROCESSES),
)
DRAMATIQ = (
    systems.dramatiq("dramatiq, defaults: 2 x 8 threads", commands.DRAMATIQ_DEFAULT),
    systems.dramatiq(f"dramatiq, 2 x {commands.SLOTS // 2} threads", commands.DRAMATIQ_SLOTS),
)
REQUESTS = {"post": "Session.post alone", "prepared": "prepared requests alone"}
CELERY_RATE, DRAMATIQ_RATE, DRAMATIQ_COST = 2, 1, 0.8
BEGIN_POLL_SECONDS = 0.01
SETTINGS = {"LANES_BURST_LIMIT": str(PLENTY), "LANES_DAILY_LIMIT": str(PLENTY)}
ALONE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Drain:
    """What one drain came to: upserts a second, processor milliseconds an upsert, requests that the server saw."""

    rate: float
    milliseconds: float
    requests: int


Drains = Mapping[str, Sequence[Drain]]


def measure(plan: Plan) -> Findings:
    """Drain the same upserts with each side, one after another."""
    bodies = make_bodies(plan.drain)
    sides = (OURS, CELERY[0], DRAMATIQ[0]) if plan.brief else (OURS, TWO, *CELERY, *DRAMATIQ)
    drains: dict[str, list[Drain]] = {}
    store: list[float] = []
    for run in range(1, plan.runs + 1):
        for number, side in enumerate(sides):
            progress(f"drain: run {run} of {plan.runs}: {side.name}, {len(bodies)} jobs")
            drains.setdefault(side.name, []).append(drain(plan.folder / f"drain-{run}-{number}", side, bodies))
        for kind, name in REQUESTS.items():
            progress(f"drain: run {run} of {plan.runs}: {name}, {len(bodies)} requests")
            drains.setdefault(name, []).append(send_alone(plan.folder / f"drain-{run}-{kind}", kind, len(bodies)))
        progress(f"drain: run {run} of {plan.runs}: release and deliver without HTTP, {plan.store} jobs")
        store.append(drain_store(plan.folder / f"drain-{run}-store", plan.store))
    requests = {name: [one.requests for one in found] for name, found in drains.items()}
    without = Figure("drain", "jobs/s without HTTP, release and deliver in one process", {"lanes": store})
    return Findings([*_figures(drains), without], {"jobs": len(bodies), "requests": requests})


def _figures(drains: Drains) -> list[Figure]:
    """Return rates of what has a queue, and costs of all; an aim stands beside the best of a kind."""
    rates = Figure(
        "drain",
        "upserts/s",
        {name: [one.rate for one in found] for name, found in drains.items() if name not in REQUESTS.values()},
    )
    costs = Figure(
        "drain", "CPU ms per upsert", {n: [one.milliseconds for one in found] for n, found in drains.items()}
    )
    celery = [side.name for side in CELERY if side.name in drains]
    dramatiq = [side.name for side in DRAMATIQ if side.name in drains]
    rate_aims = [
        Aim(at_least=CELERY_RATE, baseline=rates.best(celery, largest=True)),
        Aim(at_least=DRAMATIQ_RATE, baseline=rates.best(dramatiq, largest=True)),
    ]
    cost_aims = [Aim(at_most=DRAMATIQ_COST, baseline=costs.best(dramatiq, largest=False))]
    return [replace(rates, aims=rate_aims), replace(costs, aims=cost_aims)]


def drain(
    folder: Path,
    side: System,
    bodies: Sequence[Body],
    baseline: Callable[[Stack], AbstractContextManager[object]] = nullcontext,
) -> Drain:
    """Fill an empty Redis, start the workers, and measure from the first request that the server sees to the last.

    `baseline` is open all the while, from before the workers start.

    Raises:
        BenchmarkError: the server saw another number of requests than there are jobs.
    """
    with Stack(folder, SETTINGS) as stack, ExitStack() as around:
        stack.start_redis()
        server = ApiServer.start(stack)
        with side.sending(stack) as send:
            for body in bodies:
                send(body)
        around.enter_context(baseline(stack))
        workers = side.start(stack, server.url)
        before = 0.0

        def begun() -> bool:
            nonlocal before
            spent_so_far = spent(workers)
            if server.tally.count:
                return True
            before = spent_so_far
            return False

        needed = [*workers, server.child]
        until(stack, begun, needed, BEGIN_POLL_SECONDS)
        until(stack, lambda: server.tally.count >= len(bodies) and side.left(stack) == 0, needed)
        processor = spent(workers) - before
        tally = server.tally
    if tally.count != len(bodies):
        message = f"{side.name}: the server saw {tally.count} requests for {len(bodies)} jobs"
        raise BenchmarkError(message)
    return Drain(tally.rate, 1000 * processor / tally.count, tally.count)


def send_alone(folder: Path, kind: str, count: int) -> Drain:
    """Send without any queue, one request after the other in a process of its own.

    Raises:
        BenchmarkError: it failed.
    """
    with Stack(folder) as stack:
        server = ApiServer.start(stack)
        command = ["benchmarks.bare_requests", kind, server.url, str(count)]
        child = stack.start("requests", command, PYTHONPATH=systems.ROOT)
        if child.wait(ALONE_SECONDS) != 0 or server.tally.count != count:
            message = f"bare requests: {server.tally.count} of {count} arrived:\n{child.tail()}"
            raise BenchmarkError(message)
        tally = server.tally
        return Drain(tally.rate, 1000 * float(child.tail(1)) / count, tally.count)


def drain_store(folder: Path, count: int) -> float:
    """Return how many jobs a second one process releases and reports as delivered, with nothing in between."""
    with Stack(folder, SETTINGS) as stack:
        stack.start_redis()
        with OpportunityProducer.from_settings(stack.load_settings()) as producer:
            producer.enqueue_many(make_bodies(count))
        with connect(stack.redis.url) as client:
            return count / deliver_jobs(LaneStore(client), count)
