"""How fast one worker drains a backlog, and with how much processor time, beside Celery with one task per upsert."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import bare_celery
from benchmarks.bodies import make_bodies
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.instant_server import Tally, look
from benchmarks.plan import Plan, tell
from benchmarks.processor_time import processor_seconds
from lanes.store import LaneStore, connect
from ops.processes import Child
from ops.redis_server import free_port
from ops.stack import Stack
from producers import OpportunityProducer

AIM = Aim(ratio=2)
THREADS = 64  # as many as our worker has by itself on two cores
PROCESSES = 2
BURST_LIMIT = "1000000"
POLL_SECONDS = 0.01
DEADLINE_SECONDS = 600.0
ROOT = str(Path(__file__).parents[1])
Bodies = list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Side:
    """One way to drain: how the backlog comes into Redis, what drains it, and how many jobs it still has in hand."""

    name: str
    fill: Callable[[Stack, Bodies], None]
    worker: list[str]
    left: Callable[[Stack], int]


@dataclass(frozen=True, slots=True)
class Drain:
    """What one drain came to: upserts a second, processor milliseconds an upsert, requests that the server saw."""

    rate: float
    milliseconds: float
    requests: int


def measure(plan: Plan) -> Findings:
    """Let each side drain the same upserts, in turn."""
    bodies = make_bodies(plan.drain)
    drains: dict[str, list[Drain]] = {side.name: [] for side in SIDES}
    for run in range(1, plan.runs + 1):
        for number, side in enumerate(SIDES):
            tell(f"drain: run {run} of {plan.runs}: {side.name}, {len(bodies)} jobs")
            drains[side.name].append(drain(plan.folder / f"drain-{run}-{number}", side, bodies))
    ours = drains.pop(OURS.name)
    requests = {name: [one.requests for one in found] for name, found in [(OURS.name, ours), *drains.items()]}
    return Findings(_figures(ours, drains), {"jobs": len(bodies), "requests": requests})


def _figures(ours: list[Drain], others: dict[str, list[Drain]]) -> list[Figure]:
    """Return both figures beside each of the others; the aim stands beside the fastest of them."""
    fastest = max(others, key=lambda name: median(one.rate for one in others[name]))
    rates, costs = [one.rate for one in ours], [one.milliseconds for one in ours]
    figures = [
        Figure("drain", "upserts/s", rates, name, [one.rate for one in found], AIM if name == fastest else None)
        for name, found in others.items()
    ]
    return figures + [
        Figure("drain", "CPU ms per upsert", costs, name, [one.milliseconds for one in found])
        for name, found in others.items()
    ]


def drain(folder: Path, side: Side, bodies: Bodies) -> Drain:
    """Fill an empty Redis, start a worker, and measure from the first request that the server sees to the last.

    Raises:
        BenchmarkError: the server saw another number of requests than there are jobs, or jobs are left.
    """
    port = free_port()
    server_url = f"http://127.0.0.1:{port}"
    settings = {"LANES_API_BASE_URL": server_url, "LANES_BURST_LIMIT": BURST_LIMIT}
    with Stack(folder, settings) as stack:
        stack.start_redis()
        server = stack.start("server", ["benchmarks.instant_server", str(port)], PYTHONPATH=ROOT)
        _until(stack, lambda: look(server_url) is not None, server)
        side.fill(stack, bodies)
        addresses = {bare_celery.REDIS_URL: stack.redis.url, bare_celery.API_URL: server_url}
        worker = stack.start("worker", side.worker, PYTHONPATH=ROOT, **addresses)
        before = 0.0

        def begun() -> bool:
            nonlocal before
            spent = processor_seconds(worker.pid)
            if _count(server_url):
                return True
            before = spent
            return False

        _until(stack, begun, worker, server)
        _until(stack, lambda: _count(server_url) >= len(bodies) and side.left(stack) == 0, worker, server)
        spent = processor_seconds(worker.pid) - before
        tally = look(server_url) or Tally()
    if tally.count != len(bodies):
        message = f"{side.name}: the server saw {tally.count} requests for {len(bodies)} jobs"
        raise BenchmarkError(message)
    return Drain(tally.rate, 1000 * spent / tally.count, tally.count)


def _count(server_url: str) -> int:
    return (look(server_url) or Tally()).count


def _until(stack: Stack, so: Callable[[], bool], *needed: Child) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not so():
        stack.check(*needed)
        if time.monotonic() > deadline:
            message = f"not drained within {DEADLINE_SECONDS:g} s:\n" + "\n".join(child.tail() for child in needed)
            raise BenchmarkError(message)
        time.sleep(POLL_SECONDS)


def _fill_lanes(stack: Stack, bodies: Bodies) -> None:
    with OpportunityProducer.from_settings(stack.load_settings()) as producer:
        producer.enqueue_many(bodies)


def _lanes_left(stack: Stack) -> int:
    with connect(stack.redis.url) as client:
        counts = LaneStore(client).counts()
    return counts["accepted"] - counts["delivered"]


def _fill_celery(stack: Stack, bodies: Bodies) -> None:
    app = bare_celery.make_app(stack.redis.url)
    task = bare_celery.register(app)
    for body in bodies:
        task.apply_async((body,))
    app.close()


def _messages_left(stack: Stack) -> int:
    """Return how many messages wait or are not acknowledged."""
    with connect(stack.redis.url) as client:
        return int(client.llen("celery")) + int(client.hlen("unacked"))


def _bare_worker(pool: str, concurrency: int) -> list[str]:
    options = ["--pool", pool, "--concurrency", str(concurrency)]
    return ["celery", "-A", "benchmarks.bare_celery", "worker", *options]


OURS = Side("lanes", _fill_lanes, ["celery", "-A", "worker", "worker"], _lanes_left)
SIDES = (
    OURS,
    Side(f"one task per upsert, {THREADS} threads", _fill_celery, _bare_worker("threads", THREADS), _messages_left),
    Side(
        f"one task per upsert, {PROCESSES} processes", _fill_celery, _bare_worker("prefork", PROCESSES), _messages_left
    ),
)
