"""A noisy neighbour: one location's many jobs ahead of others' few, under a limit that the sandbox enforces."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import commands, systems, witness
from benchmarks.bodies import Body, make_body
from benchmarks.charts import Chart, distribution
from benchmarks.figures import Aim, Figure, Findings
from benchmarks.plan import Neighbours, Plan, tell
from benchmarks.scene import Scene, end, open_scene, paced, until
from benchmarks.systems import Send, System, spent
from lanes.store import connect
from ops.processes import Child

LATENCY = (0.15, 0.25)
DONE_BEYOND_FLOOR = 1.5  # seconds
SMALL_P99 = 0.6
JOBS_PER_SECOND = 500  # the same for every system, so that none looks better for taking them more slowly
HOT = "hot"

SYSTEMS = (
    systems.named_lanes(1),
    systems.celery("Celery, backoff on 429", commands.CELERY_BACKOFF),
    systems.celery("Celery, moving window in Redis", commands.CELERY_LIMITER),
    systems.dramatiq("dramatiq, window rate limiter", commands.DRAMATIQ_LIMITER),
)


@dataclass(frozen=True, slots=True)
class Passage:
    """How one system did: seconds until all was done, what the small ones waited, 429s, processor seconds."""

    done: float
    waits: list[float]
    throttled: int
    processor: float


def measure(plan: Plan) -> Findings:
    """Let each system play the same scene in turn, on the same Redis and the same sandbox."""
    bodies = _bodies(plan.neighbours)
    passages: dict[str, list[Passage]] = {system.name: [] for system in SYSTEMS}
    for run in range(1, plan.long_runs + 1):
        with open_scene(plan.folder / f"neighbour-{run}", plan.limit, LATENCY) as scene:
            for system in SYSTEMS:
                tell(f"neighbour: run {run} of {plan.long_runs}: {system.name}, {len(bodies)} jobs")
                passages[system.name].append(_play(scene, system, bodies))
    floor = plan.limit.fastest(plan.neighbours.hot_jobs)
    counts = {"jobs": len(bodies), "floor_seconds": floor, "delivered_once": list(passages)}
    return Findings(_figures(passages, floor), counts, [_chart(passages)])


def _bodies(plan: Neighbours) -> list[Body]:
    hot = [make_body(HOT, f"{HOT}-{number}") for number in range(plan.hot_jobs)]
    return hot + [
        make_body(f"small-{location}", f"small-{location}-{number}")
        for number in range(plan.small_jobs)
        for location in range(plan.small_locations)
    ]


def _play(scene: Scene, system: System, bodies: list[Body]) -> Passage:
    """Start the workers and warm them up, hand the jobs over one by one, wait for the last answer.

    Raises:
        BenchmarkError: something was not delivered, or twice.
    """
    stack, control = scene.stack, scene.control
    control.reset()
    with system.sending(stack) as send:
        workers = system.start_ready(stack, control.url, scene.limit)
        _warm_up(scene, system, workers, send)
        before = spent(workers)
        enqueued: dict[str, float] = {}
        for body in paced(bodies, JOBS_PER_SECOND):
            enqueued[str(body["contactId"])] = time.monotonic()
            send(body)
        until(stack, lambda: scene.delivered >= len(bodies) and system.left(stack) == 0, workers)
        processor = spent(workers) - before
        end(stack, workers)
    requests = witness.ask(control)
    witness.check_each_delivered_once(system.name, requests, enqueued)
    answered = {request.contact: request.answered_at for request in requests if request.succeeded}
    with connect(stack.redis.url) as client:
        client.flushall()
    return Passage(
        done=max(answered.values()) - min(enqueued.values()),
        waits=[at - enqueued[contact] for contact, at in answered.items() if not contact.startswith(HOT)],
        throttled=sum(request.throttled for request in requests),
        processor=processor,
    )


def _warm_up(scene: Scene, system: System, workers: list[Child], send: Send) -> None:
    """Let every slot of the workers send once, so that none is measured while it opens its first connection."""
    count = 2 * commands.SLOTS
    for number in range(count):
        send(make_body(f"warm-{number}", f"warm-{number}"))
    until(scene.stack, lambda: scene.delivered >= count and system.left(scene.stack) == 0, workers)
    scene.control.reset()


def _figures(passages: dict[str, list[Passage]], floor: float) -> list[Figure]:
    def figure(measured: str, value: Callable[[Passage], float], *aims: Aim) -> Figure:
        sides = {name: [value(passage) for passage in found] for name, found in passages.items()}
        return Figure("neighbour", measured, sides, aims)

    return [
        figure(
            f"s until all is done (at least {floor:g})",
            lambda passage: passage.done,
            Aim(most=floor + DONE_BEYOND_FLOOR),
        ),
        figure("s a small location's job waits, p50", lambda passage: witness.percentile(passage.waits, 50)),
        figure(
            "s a small location's job waits, p99",
            lambda passage: witness.percentile(passage.waits, 99),
            Aim(most=SMALL_P99),
        ),
        figure("429s", lambda passage: passage.throttled, Aim(most=0)),
        figure("CPU s of the workers", lambda passage: passage.processor),
    ]


def _chart(passages: dict[str, list[Passage]]) -> Chart:
    """Draw what the small locations waited, all runs together."""
    curves = [
        distribution(name, (wait for passage in found for wait in passage.waits)) for name, found in passages.items()
    ]
    return Chart(
        "What the small locations' jobs wait, behind a hot location's backlog",
        "seconds from enqueue to the API's answer",
        "percent of the small locations' jobs",
        curves,
        log_x=True,
    )
