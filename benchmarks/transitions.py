"""What Redis does for each transition: processor time of its whole process and commands, beside a known script."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import redis

from benchmarks import commands, systems
from benchmarks.bodies import Body, make_bodies
from benchmarks.draining import SETTINGS, drain
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.plan import Plan, progress
from benchmarks.redis_server import EVERYSEC, RedisUse, start_redis
from benchmarks.store_loop import deliver_jobs, retry_jobs, throttle_jobs
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from ops.embedded.stack import Stack
from producers import OpportunityProducer

# The yardstick: the same on every machine and server, so that a ratio to it is about the scripts alone.
YARDSTICK_SCRIPT = "for i = 1, 50 do redis.call('HINCRBY', KEYS[1], i, 1) end"
YARDSTICK = "a script of 50 HINCRBY"
LOCATIONS = 50
ENQUEUE, ENQUEUE_ONE = "enqueue_many, a row", "enqueue, one"
DELIVER, RETRY, THROTTLE = "deliver and release", "retry and release", "throttle and release"
WORKER = "one upsert by a worker"
AIM = 2.0
SERVICE, LABEL = "crm", "crm-without"  # added, and never added
WITH, WITHOUT = "quota and outcomes", "neither"
SERVICE_AIM = 1.25
TURN = 500  # jobs


@dataclass(frozen=True, slots=True)
class Use:
    """For one transition: microseconds of Redis' processor time, and commands that its script calls."""

    microseconds: float
    calls: float


def measure(plan: Plan) -> Findings:
    """Run each transition many times; nothing else uses Redis meanwhile."""
    found: dict[str, list[Use]] = {}
    bodies = make_bodies(plan.store, LOCATIONS)
    for run in range(1, plan.runs + 1):
        progress(f"redis: run {run} of {plan.runs}: {plan.store} of each transition")
        with Stack(plan.folder / f"redis-{run}", SETTINGS) as stack:
            start_redis(stack, EVERYSEC)
            uses = _transitions(stack, bodies) | _of_a_service(stack, bodies)
            for name, use in uses.items():
                found.setdefault(name, []).append(use)
        progress(f"redis: run {run} of {plan.runs}: {plan.drain} jobs by a worker")
        side = systems.lanes("lanes", commands.LANES)
        drained = drain(plan.folder / f"redis-{run}-drain", side, make_bodies(plan.drain, LOCATIONS))
        found.setdefault(WORKER, []).append(Use(1000 * drained.redis_milliseconds, 0))
    return Findings(_figures(found), {"transitions": len(bodies)})


def _transitions(stack: Stack, bodies: list[Body]) -> dict[str, Use]:
    """Return the use of each, in an order in which each finds its jobs.

    Jobs are delivered before any is retried: retries send the first job of each lane again and again, and a job with
    hundreds of attempts takes long to pack when it is done.

    Raises:
        BenchmarkError: something is left.
    """
    count = len(bodies)
    single = bodies[: count // 4]
    with connect(stack.redis.url) as client, OpportunityProducer.from_settings(stack.load_settings()) as producer:
        store = LaneStore(client)

        def use(call: Callable[[], object], of: int) -> Use:
            earlier = RedisUse.read(stack.redis.url)
            call()
            later = RedisUse.read(stack.redis.url)
            return Use(later.microseconds_since(earlier, of), later.script_calls_since(earlier, of))

        producer.enqueue_many(bodies[:LOCATIONS])  # loads the scripts
        deliver_jobs(store, LOCATIONS)
        before = use(lambda: _yardstick(client, count), count)
        uses = {
            ENQUEUE: use(lambda: producer.enqueue_many(bodies), count),
            DELIVER: use(lambda: deliver_jobs(store, count), count),
            ENQUEUE_ONE: use(lambda: [producer.enqueue(body) for body in single], len(single)),
            RETRY: use(lambda: retry_jobs(store, count), count),
            THROTTLE: use(lambda: throttle_jobs(store, len(single)), len(single)),
        }
        after = use(lambda: _yardstick(client, count), count)  # again, in case the machine became faster or slower
        uses[YARDSTICK] = Use((before.microseconds + after.microseconds) / 2, (before.calls + after.calls) / 2)
        counts = store.counts()
    if counts["pending"] != len(single) or counts["delivered"] != count + LOCATIONS:
        message = f"redis: {counts}, which is not what was done"
        raise BenchmarkError(message)
    return uses


def _of_a_service(stack: Stack, bodies: list[Body]) -> dict[str, Use]:
    """Return the use of an upsert, from enqueue to delivery, of a service with quota and outcomes, and of a label.

    They take turns, because the speed of a machine changes within seconds.

    Raises:
        BenchmarkError: a job of the service has no outcome.
    """
    count, parts = len(bodies), range(0, len(bodies), TURN)
    uses = {WITHOUT: Use(0, 0), WITH: Use(0, 0)}
    with connect(stack.redis.url) as client, OpportunityProducer.from_settings(stack.load_settings()) as producer:
        store = LaneStore(client)
        deliver_jobs(store, store.counts()["pending"])
        ServiceStore(store).add(Service(SERVICE, max_pending=2 * count, max_dead=count))
        for start, (side, service) in product(parts, ((WITHOUT, LABEL), (WITH, SERVICE))):
            part = bodies[start : start + TURN]
            before = RedisUse.read(stack.redis.url)
            producer.enqueue_many(part, service=service)
            deliver_jobs(store, len(part))
            after = RedisUse.read(stack.redis.url)
            microseconds, calls = after.microseconds_since(before, count), after.script_calls_since(before, count)
            uses[side] = Use(uses[side].microseconds + microseconds, uses[side].calls + calls)
        outcomes = client.xlen(store.key("outcomes", SERVICE))
    if outcomes != count:
        message = f"redis: {outcomes} outcomes of {count} jobs"
        raise BenchmarkError(message)
    return uses


def _yardstick(client: "redis.Redis", count: int) -> None:
    script = client.register_script(YARDSTICK_SCRIPT)
    for _ in range(count):
        script(keys=["yardstick"])


def _figures(found: dict[str, list[Use]]) -> list[Figure]:
    aims = {DELIVER: [Aim(at_most=AIM, baseline=YARDSTICK)], WORKER: [Aim(at_most=AIM, baseline=YARDSTICK)]}

    def microseconds(name: str) -> list[float]:
        return [one.microseconds for one in found[name]]

    times = [
        Figure(
            "redis",
            f"us of Redis' CPU, {name}",
            {"lanes": microseconds(name), YARDSTICK: microseconds(YARDSTICK)},
            aims.get(name, ()),
            EVERYSEC,
        )
        for name in (DELIVER, WORKER, ENQUEUE, ENQUEUE_ONE, RETRY, THROTTLE)
    ]
    calls = [
        Figure("redis", f"commands in the script, {name}", {"lanes": [one.calls for one in found[name]]}, (), EVERYSEC)
        for name in (DELIVER, ENQUEUE, ENQUEUE_ONE, RETRY, THROTTLE)
    ]
    service = Figure(
        "redis",
        "us of Redis' CPU, an upsert of a service",
        {WITH: microseconds(WITH), WITHOUT: microseconds(WITHOUT)},
        [Aim(at_most=SERVICE_AIM, baseline=WITHOUT)],
        EVERYSEC,
    )
    return [*times, service, *calls]
