"""How well one hot location's limit is used, and kept: several workers, answers that take uneven times."""

from benchmarks import request_log, systems
from benchmarks.bodies import make_body
from benchmarks.charts import Chart, Curve
from benchmarks.environment import end, start_environment, until
from benchmarks.figures import Aim, Figure, Findings
from benchmarks.plan import Limit, Plan, progress
from benchmarks.request_log import Request
from ops.sandbox.request_log import max_in_window, utilisation

WORKERS = 3
LATENCY = (0.05, 0.5)
SHARE_AIM = 99
RUNS = 1  # it has hundreds of windows
HOT = "hot"
LANES = "lanes"
Runs = list[list[Request]]


def measure(plan: Plan) -> Findings:
    """Let the workers drain one lane, and read the sandbox's account of it."""
    workers = 1 if plan.brief else WORKERS
    runs: Runs = []
    for run in range(1, RUNS + 1):
        progress(f"accuracy: run {run} of {RUNS}: {workers} workers, one location, {plan.hot} jobs")
        runs.append(_run(plan, run, workers))
    counts = {"jobs": plan.hot, "requests": [len(requests) for requests in runs]}
    return Findings(_figures(runs, plan.limit), counts, [_chart(runs[-1], plan.limit)])


def _run(plan: Plan, run: int, count: int) -> list[Request]:
    """Fill the lane, then start the workers.

    Raises:
        BenchmarkError: something was not delivered, or twice.
    """
    system = systems.named_lanes(count)
    contacts = [f"contact-{number}" for number in range(plan.hot)]
    with start_environment(plan.folder / f"accuracy-{run}", plan.limit, LATENCY) as environment:
        stack = environment.stack
        workers = system.start_ready(stack, environment.control.url, plan.limit)
        with system.sending(stack) as send:
            for contact in contacts:
                send(make_body(HOT, contact))
        until(stack, lambda: environment.delivered >= plan.hot and system.left(stack) == 0, workers)
        end(stack, workers)
        requests = request_log.read_requests(environment.control)
    request_log.check_each_delivered_once(LANES, requests, contacts)
    return requests


def _figures(runs: Runs, limit: Limit) -> list[Figure]:
    arrivals = [[request.arrived_at for request in requests] for requests in runs]
    max_counts = [float(max_in_window(times, limit.seconds)) for times in arrivals]
    throttled = [float(sum(request.throttled for request in requests)) for requests in runs]
    safe = [100 * request_log.safe_rule_seconds(requests, limit) / request_log.span(requests) for requests in runs]
    share = [100 * utilisation(times, limit.requests, limit.seconds) for times in arrivals]
    return [
        Figure(
            "accuracy", f"most requests in any {limit.seconds} s", {LANES: max_counts}, [Aim(at_most=limit.requests)]
        ),
        Figure("accuracy", "429s", {LANES: throttled}, [Aim(at_most=0)]),
        Figure("accuracy", "% of the pace that the safe rule permits", {LANES: safe}, [Aim(at_least=SHARE_AIM)]),
        Figure("accuracy", "% of the pace of the limit itself", {LANES: share}),
    ]


def _chart(requests: list[Request], limit: Limit) -> Chart:
    xs, ys = request_log.sliding_counts((request.arrived_at for request in requests), limit.seconds)
    return Chart(
        f"Requests of one location in the last {limit.seconds} s, as the server counts them",
        "seconds from the first request",
        f"requests in the last {limit.seconds} s",
        [Curve("lanes", xs, ys, steps=True)],
        level=limit.requests,
        level_label=f"limit: {limit.requests}",
    )
