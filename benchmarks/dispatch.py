"""What waiting costs: nothing to do, and a lane that trickles."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import commands, request_log, systems
from benchmarks.bodies import make_body
from benchmarks.environment import Environment, end, start_environment, until
from benchmarks.figures import Aim, Figure, Findings
from benchmarks.plan import Plan, Quiet, progress
from benchmarks.redis_server import RedisUse
from benchmarks.systems import System, spent
from lanes.queue.connecting import connect
from ops.embedded.processes import Child

LATENCY = (0.02, 0.02)
IDLE_AIM, SHIFTS_AIM = 1, 1
TRICKLE_PER_SECOND = 10
SHIFT_RECEIVED = re.compile(r"work_shift\[.+\] received")
LANES, CELERY = "lanes", "Celery"

SYSTEMS = (systems.named_lanes(1), systems.celery(CELERY, commands.CELERY_PROCESSES))


@dataclass(frozen=True, slots=True)
class DispatchResult:
    """How one system did: percent of a core when idle, of the worker and of Redis, and shifts a second."""

    idle: float
    redis: float
    shifts: float


def measure(plan: Plan) -> Findings:
    """Let each system wait, and take a trickle."""
    results: dict[str, list[DispatchResult]] = {system.name: [] for system in SYSTEMS}
    for run in range(1, plan.long_runs + 1):
        for system in SYSTEMS:
            progress(f"dispatch: run {run} of {plan.long_runs}: {system.name}, idle, and a trickle")
            with start_environment(plan.folder / f"dispatch-{run}-{system.name}", plan.limit, LATENCY) as environment:
                results[system.name].append(_run(environment, system, plan.quiet))
    counts = {"trickle": plan.quiet.trickle}
    return Findings(_figures(results), counts)


def _run(environment: Environment, system: System, quiet: Quiet) -> DispatchResult:
    stack = environment.stack
    workers = system.start_ready(stack, environment.control.url, environment.limit)
    time.sleep(quiet.settle)
    before, redis_before = spent(workers), RedisUse.read(stack.redis.url)
    time.sleep(quiet.idle)
    idle = 100 * (spent(workers) - before) / quiet.idle
    redis = 100 * (RedisUse.read(stack.redis.url).seconds - redis_before.seconds) / quiet.idle
    contacts = [f"trickle-{number}" for number in range(quiet.trickle)]
    with system.sending(stack) as send:
        shifts, began = _shifts(workers), time.monotonic()
        for contact in contacts:
            time.sleep(1 / TRICKLE_PER_SECOND)
            send(make_body("hot", contact))
        until(stack, lambda: environment.delivered >= len(contacts), workers)
        shifts_per_second = (_shifts(workers) - shifts) / (time.monotonic() - began)
    end(stack, workers)
    requests = request_log.read_requests(environment.control)
    request_log.check_each_delivered_once(system.name, requests, contacts)
    with connect(stack.redis.url) as client:
        client.flushall()
    return DispatchResult(idle, redis, shifts_per_second)


def _shifts(workers: list[Child]) -> int:
    """Return how many shifts the workers have been given, as their logs say."""
    return sum(len(SHIFT_RECEIVED.findall(worker.output)) for worker in workers)


def _figures(results: dict[str, list[DispatchResult]]) -> list[Figure]:
    def figure(measured: str, value: Callable[[DispatchResult], float], *aims: Aim) -> Figure:
        return Figure(
            "dispatch", measured, {name: [value(one) for one in found] for name, found in results.items()}, aims
        )

    return [
        figure("% of a core that a waiting worker uses", lambda one: one.idle, Aim(at_most=IDLE_AIM)),
        figure("% of a core that Redis uses meanwhile", lambda one: one.redis),
        Figure(
            "dispatch",
            f"shifts/s while a lane trickles {TRICKLE_PER_SECOND} jobs/s",
            {LANES: [one.shifts for one in results[LANES]]},
            [Aim(at_most=SHIFTS_AIM)],
        ),
    ]
