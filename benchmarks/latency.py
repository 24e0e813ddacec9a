"""How soon an enqueued job arrives at the API: with an idle worker, and with one that is busy with other locations."""

import random
import time

from benchmarks import commands, request_log, systems
from benchmarks.api_server import ApiServer, Behaviour
from benchmarks.bodies import make_body
from benchmarks.charts import Chart, distribution
from benchmarks.draining import SETTINGS
from benchmarks.environment import until
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.plan import Plan, progress
from benchmarks.redis_server import start_redis
from benchmarks.systems import System
from ops.embedded.stack import Stack
from producers import OpportunityProducer

LANES, CELERY = systems.named_lanes(1), systems.celery("Celery", commands.CELERY_PROCESSES)
IDLE, BUSY = "idle", "busy"
# Seconds between two jobs. A shift watches for a second after its last job, so that only a job after that needs the
# that needs the dispatcher to start one.
DURING_A_SHIFT, AFTER_A_SHIFT = (0.01, 0.12), (0.9, 1.4)
EVERY = 20  # so many during a shift, for one after it
ANSWER = (0.02, 0.02)
BUSY_ANSWER = (0.05, 0.15)
# A busy worker sends the backlog of other locations at their limit, so that a fifth to a half of its senders are taken.
BUSY_LOCATIONS, BUSY_PER_SECOND = 20, 10
BUSY_LIMIT = {"LANES_BURST_LIMIT": str(BUSY_PER_SECOND), "LANES_BURST_WINDOW_SECONDS": "1"}
SPARE_SECONDS = 12.0  # until a started worker is settled, and until the last sample arrived
OTHERS_PART = 10  # one sample in ten is enough for the median of another system
AIM = Aim(at_most=5, baseline="p50", plus=5)
Waits = list[float]


def measure(plan: Plan) -> Findings:
    """Enqueue jobs one by one, each for a location that has none; all runs together have so many of each kind."""
    waits: dict[str, Waits] = {IDLE: [], BUSY: []}
    each = max(1, plan.quiet.samples // plan.long_runs)
    for run in range(1, plan.long_runs + 1):
        chance = random.Random(run)
        progress(f"latency: run {run} of {plan.long_runs}: an idle worker, {each} jobs")
        waits[IDLE] += _run(plan, f"{run}-idle", LANES, each, chance)
        progress(f"latency: run {run} of {plan.long_runs}: a busy worker, {each} jobs")
        waits[BUSY] += _run(plan, f"{run}-busy", LANES, each, chance, busy=True)
        if not plan.brief:
            progress(f"latency: run {run} of {plan.long_runs}: Celery, idle")
            others = _run(plan, f"{run}-celery", CELERY, each // OTHERS_PART, chance)
            waits.setdefault(CELERY.name, []).extend(others)
    curves = [distribution(name, found) for name, found in waits.items()]
    chart = Chart("From enqueue to arrival at the API", "ms", "percent of the jobs", curves, log_x=True)
    return Findings(_figures(waits), {name: len(found) for name, found in waits.items()}, [chart])


def _run(plan: Plan, name: str, system: System, count: int, chance: random.Random, *, busy: bool = False) -> Waits:
    """Return the milliseconds that each job took to arrive.

    Raises:
        BenchmarkError: the worker had nothing else to do at the end, when it was to be busy.
    """
    with Stack(plan.folder / f"latency-{name}", BUSY_LIMIT if busy else SETTINGS) as stack:
        start_redis(stack)
        server = ApiServer.start(stack, Behaviour(BUSY_ANSWER if busy else ANSWER, log=True))
        if busy:
            _fill(stack, count * DURING_A_SHIFT[1] + SPARE_SECONDS)
        workers = system.start_ready(stack, server.url)
        time.sleep(plan.quiet.settle)
        enqueued: dict[str, float] = {}
        with system.sending(stack) as send:
            for number in range(-2, count):
                time.sleep(chance.uniform(*(DURING_A_SHIFT if busy or number % EVERY else AFTER_A_SHIFT)))
                contact = f"sample-{number}"
                body = make_body(contact, contact)
                enqueued[contact] = time.monotonic()
                send(body)
            until(stack, lambda: enqueued.keys() <= server.arrivals.keys(), workers)
        arrivals, left = server.arrivals, system.left(stack)
    if busy and not left:
        message = "latency: the worker was not busy until the end"
        raise BenchmarkError(message)
    return [1000 * (arrivals[contact] - at) for contact, at in list(enqueued.items())[2:]]


def _fill(stack: Stack, seconds: float) -> None:
    """Enqueue what other locations send in this time."""
    jobs = round(seconds * BUSY_LOCATIONS * BUSY_PER_SECOND)
    with OpportunityProducer.from_settings(stack.load_settings()) as producer:
        producer.enqueue_many(make_body(f"busy-{number % BUSY_LOCATIONS}", f"busy-{number}") for number in range(jobs))


def _figures(waits: dict[str, Waits]) -> list[Figure]:
    def percentile(name: str, percent: float) -> list[float]:
        return [request_log.percentile(waits[name], percent)]

    def slowest(name: str) -> Figure:
        sides = {f"slowest of {len(waits[name]):,}": percentile(name, 100)}
        sides |= {"p99": percentile(name, 99), "p50": percentile(name, 50)}
        return Figure("latency", f"ms from enqueue to arrival, {name} worker", sides, [AIM])

    p50 = {"lanes" if name == IDLE else name: percentile(name, 50) for name in waits if name != BUSY}
    return [slowest(IDLE), slowest(BUSY), Figure("latency", "ms from enqueue to arrival, idle worker, p50", p50)]
