"""A noisy neighbour: one location's many jobs ahead of others' few, under a limit that the sandbox enforces."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import commands, request_log, systems
from benchmarks.bodies import Body, make_body
from benchmarks.charts import Chart, distribution
from benchmarks.environment import Environment, end, paced, start_environment, until
from benchmarks.figures import Aim, Figure, Findings
from benchmarks.plan import Neighbours, Plan, progress
from benchmarks.redis_server import RedisUse
from benchmarks.systems import Send, System, spent
from lanes.queue.connecting import connect
from ops.embedded.processes import Child

LATENCY = (0.15, 0.25)
DONE_BEYOND_FLOOR = 1.1  # seconds
SMALL_P99 = 0.35
JOBS_PER_SECOND = 500  # the same for every system, so that none looks better for taking them more slowly
HOT = "hot"
FEW = 64

SYSTEMS = (
    systems.named_lanes(1),
    systems.celery("Celery, backoff on 429", commands.CELERY_BACKOFF),
    systems.celery("Celery, moving window in Redis", commands.CELERY_LIMITER),
    systems.dramatiq("dramatiq, window rate limiter", commands.DRAMATIQ_LIMITER),
)


@dataclass(frozen=True, slots=True)
class NeighbourResult:
    """How one system did: seconds until all was done, what the small ones waited, 429s, processor seconds.

    Those of the workers, and of Redis.
    """

    done: float
    waits: list[float]
    throttled: int
    processor: float
    redis_processor: float


def measure(plan: Plan) -> Findings:
    """Run the same load on each system, one after another, on the same Redis and sandbox."""
    bodies = _bodies(plan.neighbours)
    warm_up = FEW if plan.brief else 2 * commands.SLOTS
    results: dict[str, list[NeighbourResult]] = {system.name: [] for system in SYSTEMS}
    for run in range(1, plan.long_runs + 1):
        with start_environment(plan.folder / f"neighbour-{run}", plan.limit, LATENCY) as environment:
            for system in SYSTEMS if run == 1 else SYSTEMS[:1]:  # the others take a minute each, and lose by far
                progress(f"neighbour: run {run} of {plan.long_runs}: {system.name}, {len(bodies)} jobs")
                results[system.name].append(_run(environment, system, bodies, warm_up))
    floor = plan.limit.fastest(plan.neighbours.hot_jobs)
    counts = {"jobs": len(bodies), "floor_seconds": floor, "delivered_once": list(results)}
    return Findings(_figures(results, floor), counts, [_chart(results)])


def _bodies(plan: Neighbours) -> list[Body]:
    hot = [make_body(HOT, f"{HOT}-{number}") for number in range(plan.hot_jobs)]
    return hot + [
        make_body(f"small-{location}", f"small-{location}-{number}")
        for number in range(plan.small_jobs)
        for location in range(plan.small_locations)
    ]


def _run(environment: Environment, system: System, bodies: list[Body], warm_up: int) -> NeighbourResult:
    """Start the workers and warm them up, enqueue the jobs one by one, wait for the last answer.

    Raises:
        BenchmarkError: something was not delivered, or twice.
    """
    stack, control = environment.stack, environment.control
    control.reset()
    with system.sending(stack) as send:
        workers = system.start_ready(stack, control.url, environment.limit)
        _warm_up(environment, system, workers, send, warm_up)
        before, redis_before = spent(workers), RedisUse.read(stack.redis.url)
        enqueued: dict[str, float] = {}
        for body in paced(bodies, JOBS_PER_SECOND):
            enqueued[str(body["contactId"])] = time.monotonic()
            send(body)
        until(stack, lambda: environment.delivered >= len(bodies) and system.left(stack) == 0, workers)
        processor = spent(workers) - before
        redis_processor = RedisUse.read(stack.redis.url).seconds - redis_before.seconds
        end(stack, workers)
    requests = request_log.read_requests(control)
    request_log.check_each_delivered_once(system.name, requests, enqueued)
    answered = {request.contact: request.answered_at for request in requests if request.succeeded}
    with connect(stack.redis.url) as client:
        client.flushall()
    return NeighbourResult(
        done=max(answered.values()) - min(enqueued.values()),
        waits=[at - enqueued[contact] for contact, at in answered.items() if not contact.startswith(HOT)],
        throttled=sum(request.throttled for request in requests),
        processor=processor,
        redis_processor=redis_processor,
    )


def _warm_up(environment: Environment, system: System, workers: list[Child], send: Send, count: int) -> None:
    """Let every slot of the workers send once, so that none is measured while it opens its first connection."""
    for number in range(count):
        send(make_body(f"warm-{number}", f"warm-{number}"))
    until(environment.stack, lambda: environment.delivered >= count and system.left(environment.stack) == 0, workers)
    environment.control.reset()


def _figures(results: dict[str, list[NeighbourResult]], floor: float) -> list[Figure]:
    def figure(measured: str, value: Callable[[NeighbourResult], float], *aims: Aim) -> Figure:
        sides = {name: [value(result) for result in found] for name, found in results.items()}
        return Figure("neighbour", measured, sides, aims)

    return [
        figure(
            f"s until all is done (at least {floor:g})",
            lambda result: result.done,
            Aim(at_most=floor + DONE_BEYOND_FLOOR),
        ),
        figure("s a small location's job waits, p50", lambda result: request_log.percentile(result.waits, 50)),
        figure(
            "s a small location's job waits, p99",
            lambda result: request_log.percentile(result.waits, 99),
            Aim(at_most=SMALL_P99),
        ),
        figure("429s", lambda result: result.throttled, Aim(at_most=0)),
        figure("CPU s of workers and Redis", lambda result: result.processor + result.redis_processor),
        figure("CPU s of the workers", lambda result: result.processor),
    ]


def _chart(results: dict[str, list[NeighbourResult]]) -> Chart:
    """Draw what the small locations waited, all runs together."""
    curves = [
        distribution(name, (wait for result in found for wait in result.waits)) for name, found in results.items()
    ]
    return Chart(
        "What the small locations' jobs wait, behind a hot location's backlog",
        "seconds from enqueue to the API's answer",
        "percent of the small locations' jobs",
        curves,
        log_x=True,
    )
