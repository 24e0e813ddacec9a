"""Many locations, each with a few jobs, and an API as slow as the real one: what one worker keeps in flight."""

from collections.abc import Callable

from benchmarks import commands, systems
from benchmarks.api_server import Behaviour
from benchmarks.bodies import make_bodies
from benchmarks.draining import Drain, drain, send_alone
from benchmarks.figures import Aim, Figure, Findings
from benchmarks.plan import HIGHLEVEL, Plan, progress
from benchmarks.redis_server import EVERYSEC

LATENCY = (0.3, 0.5)
LANES = systems.lanes("lanes", commands.LANES)
OTHERS = (
    systems.dramatiq(f"dramatiq, 2 x {commands.THREADS} threads", commands.DRAMATIQ_FLEET),
    systems.celery(f"Celery, {commands.SLOTS} threads", commands.CELERY_FLEET),
)
FLOOR = f"asyncio alone, {commands.SLOTS} at a time"
RATE_AIM = Aim(at_least=0.8, baseline=FLOOR)
TRANSPORTS = {"http": False, "https": True}


def measure(plan: Plan) -> Findings:
    """Drain the same jobs with each side, over plain connections and over TLS."""
    fleet = plan.fleet
    bodies = make_bodies(fleet.locations * fleet.jobs_each, fleet.locations)
    transports = {"https": True} if plan.brief else TRANSPORTS
    found: dict[str, dict[str, list[Drain]]] = {transport: {} for transport in transports}
    sides = (LANES,) if plan.brief else (LANES, *OTHERS)
    for run in range(1, plan.runs + 1):
        for transport, tls in transports.items():
            behaviour = Behaviour(LATENCY, (HIGHLEVEL.requests, HIGHLEVEL.seconds), tls=tls)
            for number, side in enumerate(sides):
                progress(f"fleet: run {run} of {plan.runs}: {side.name}, {transport}, {len(bodies)} jobs")
                folder = plan.folder / f"fleet-{run}-{transport}-{number}"
                found[transport].setdefault(side.name, []).append(drain(folder, side, bodies, behaviour=behaviour))
            progress(f"fleet: run {run} of {plan.runs}: {FLOOR}, {transport}, {len(bodies)} requests")
            folder = plan.folder / f"fleet-{run}-{transport}-floor"
            numbers = [str(len(bodies)), str(fleet.locations), str(commands.SLOTS)]
            alone = send_alone(folder, _client(numbers), len(bodies), behaviour)
            found[transport].setdefault(FLOOR, []).append(alone)
    figures = [figure for transport, drains in found.items() for figure in _figures(transport, drains)]
    requests = {transport: [one.requests for one in drains[LANES.name]] for transport, drains in found.items()}
    return Findings(figures, {"jobs": len(bodies), "requests": requests})


def _client(numbers: list[str]) -> Callable[[str], list[str]]:
    return lambda url: ["benchmarks.asyncio_client", url, *numbers]


def _figures(transport: str, drains: dict[str, list[Drain]]) -> list[Figure]:
    def figure(measured: str, value: Callable[[Drain], float], *aims: Aim) -> Figure:
        sides = {name: [value(one) for one in found] for name, found in drains.items()}
        return Figure("fleet", f"{measured}, {transport}", sides, aims, EVERYSEC)

    return [
        figure("upserts/s", lambda one: one.rate, RATE_AIM),
        figure("CPU ms per upsert, workers and Redis", lambda one: one.both),
        figure("CPU ms per upsert, workers", lambda one: one.milliseconds),
        figure("429s", lambda one: one.throttled, Aim(at_most=0)),
    ]
