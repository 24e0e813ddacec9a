"""What waiting costs, and how soon a job is on its way: nothing to do, idle lanes, a lane that trickles."""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import commands, request_log, systems
from benchmarks.bodies import make_body
from benchmarks.environment import Environment, end, start_environment, until
from benchmarks.figures import Aim, Figure, Findings
from benchmarks.plan import Plan, Quiet, progress
from benchmarks.systems import System, spent
from lanes.queue.store import connect
from ops.embedded.processes import Child

LATENCY = (0.02, 0.02)
IDLE_AIM, ON_ITS_WAY_AIM, SHIFTS_AIM = 1, 20, 1
SETTLE_SECONDS = 3.0  # seconds until a worker that has started has nothing left to do
OFTEN, SELDOM = (0.2, 0.6), (2.0, 3.0)  # seconds between two jobs: a shift watches for a second after its last
TRICKLE_PER_SECOND = 10
SHIFT_RECEIVED = re.compile(r"work_shift\[.+\] received")
LANES, CELERY = "lanes", "Celery"

SYSTEMS = (systems.named_lanes(1), systems.celery(CELERY, commands.CELERY_PROCESSES))


@dataclass(frozen=True, slots=True)
class DispatchResult:
    """How one system did: percent of a core when idle, what jobs waited in ms, shifts a second."""

    idle: float
    often: list[float]
    seldom: list[float]
    shifts: float


def measure(plan: Plan) -> Findings:
    """Let each system wait, take a few jobs, and take a trickle."""
    results: dict[str, list[DispatchResult]] = {system.name: [] for system in SYSTEMS}
    for run in range(1, plan.long_runs + 1):
        for system in SYSTEMS:
            progress(f"dispatch: run {run} of {plan.long_runs}: {system.name}, idle, single jobs and a trickle")
            with start_environment(plan.folder / f"dispatch-{run}-{system.name}", plan.limit, LATENCY) as environment:
                results[system.name].append(_run(environment, system, plan.quiet, random.Random(run)))
    counts = {"samples": plan.quiet.samples, "trickle": plan.quiet.trickle}
    return Findings(_figures(results), counts)


def _run(environment: Environment, system: System, quiet: Quiet, chance: random.Random) -> DispatchResult:
    stack = environment.stack
    workers = system.start_ready(stack, environment.control.url, environment.limit)
    time.sleep(SETTLE_SECONDS)
    before = spent(workers)
    time.sleep(quiet.idle)
    idle = 100 * (spent(workers) - before) / quiet.idle
    enqueued: dict[str, float] = {}

    def send_each(name: str, count: int, location: Callable[[int], str], gap: Callable[[], float]) -> list[str]:
        contacts = [f"{name}-{number}" for number in range(count)]
        for number, contact in enumerate(contacts):
            time.sleep(gap())
            body = make_body(location(number), contact)
            enqueued[contact] = time.monotonic()
            send(body)
        return contacts

    with system.sending(stack) as send:
        send_each("warm", 2, lambda n: f"warm-{n}", lambda: 1.0)
        often = send_each("often", quiet.samples, lambda n: f"often-{n}", lambda: chance.uniform(*OFTEN))
        seldom = send_each("seldom", quiet.samples, lambda n: f"seldom-{n}", lambda: chance.uniform(*SELDOM))
        shifts, began = _shifts(workers), time.monotonic()
        send_each("trickle", quiet.trickle, lambda _: "hot", lambda: 1 / TRICKLE_PER_SECOND)
        until(stack, lambda: environment.delivered >= len(enqueued), workers)
        shifts_per_second = (_shifts(workers) - shifts) / (time.monotonic() - began)
    end(stack, workers)
    requests = request_log.read_requests(environment.control)
    request_log.check_each_delivered_once(system.name, requests, enqueued)
    waits = {one.contact: 1000 * (one.arrived_at - enqueued[one.contact]) for one in requests if one.succeeded}
    with connect(stack.redis.url) as client:
        client.flushall()
    return DispatchResult(idle, [waits[one] for one in often], [waits[one] for one in seldom], shifts_per_second)


def _shifts(workers: list[Child]) -> int:
    """Return how many shifts the workers have been given, as their logs say."""
    return sum(len(SHIFT_RECEIVED.findall(worker.output)) for worker in workers)


def _figures(results: dict[str, list[DispatchResult]]) -> list[Figure]:
    def figure(measured: str, value: Callable[[DispatchResult], float], *aims: Aim) -> Figure:
        return Figure(
            "dispatch", measured, {name: [value(one) for one in found] for name, found in results.items()}, aims
        )

    def wait(name: str, percent: float) -> Callable[[DispatchResult], float]:
        return lambda result: request_log.percentile(getattr(result, name), percent)

    return [
        figure("% of a core that a waiting worker uses", lambda one: one.idle, Aim(at_most=IDLE_AIM)),
        figure("ms until a job of an idle lane arrives, p50", wait("seldom", 50), Aim(at_most=ON_ITS_WAY_AIM)),
        figure("ms until a job of an idle lane arrives, p95", wait("seldom", 95)),
        figure("ms while a shift is on, p50", wait("often", 50), Aim(at_most=ON_ITS_WAY_AIM)),
        figure("ms while a shift is on, p95", wait("often", 95)),
        Figure(
            "dispatch",
            f"shifts/s while a lane trickles {TRICKLE_PER_SECOND} jobs/s",
            {LANES: [one.shifts for one in results[LANES]]},
            [Aim(at_most=SHIFTS_AIM)],
        ),
    ]
