"""One location's budget, shared with another client of the same app that takes a changing part of it."""

from dataclasses import dataclass

from benchmarks import request_log, systems
from benchmarks.bodies import make_body
from benchmarks.charts import Chart, Curve
from benchmarks.environment import Environment, end, start_environment, until
from benchmarks.figures import Aim, Figure, Findings
from benchmarks.plan import Limit, Plan, progress
from benchmarks.request_log import Request
from benchmarks.second_client import CONTACT
from benchmarks.systems import ROOT

LATENCY = (0.15, 0.25)
USE_AIM, THROTTLED_AIM = 95, 1
# Windows in which the lanes, which began with a burst, learn of the other.
LEARNING = 3
RUNS = 1  # it has hundreds of windows
SHARED = "shared"
LANES, OTHER, BOTH = "lanes", "the other client", "both together"


@dataclass(frozen=True, slots=True)
class SharedResult:
    """What both sent, until the lanes had sent their last."""

    ours: list[Request]
    foreign: list[Request]

    @property
    def all(self) -> list[Request]:
        """Both."""
        return self.ours + self.foreign

    def use(self, requests: list[Request], limit: Limit) -> float:
        """Return the mean part of the window, in percent, that those of these requests fill that were not throttled.

        From the end of the learning to one window before the last request of ours, in which fewer and fewer wait.
        """
        last = max(request.arrived_at for request in self.ours) - limit.seconds
        begin = min(request.arrived_at for request in self.all) + LEARNING * limit.seconds
        arrivals = [request.arrived_at for request in requests if not request.throttled]
        return 100 * request_log.mean_count(arrivals, limit.seconds, begin, last) / limit.requests


def measure(plan: Plan) -> Findings:
    """Drain one lane while the other client goes on."""
    results = []
    for run in range(1, RUNS + 1):
        progress(f"shared: run {run} of {RUNS}: one location, {plan.shared} jobs, another client beside them")
        with start_environment(plan.folder / f"shared-{run}", plan.limit, LATENCY) as environment:
            results.append(_run(environment, plan.shared, seed=run))
    counts = {
        "jobs": plan.shared,
        "delivered": [sum(request.succeeded for request in one.ours) for one in results],
        "foreign": [len(one.foreign) for one in results],
    }
    return Findings(_figures(results, plan.limit), counts, [_chart(results[-1], plan.limit)])


def _run(environment: Environment, jobs: int, seed: int) -> SharedResult:
    """Let the other client begin, then enqueue all.

    Raises:
        BenchmarkError: a job was not delivered, or twice.
    """
    stack, limit = environment.stack, environment.limit
    system = systems.named_lanes(1)
    workers = system.start_ready(stack, environment.control.url)
    numbers = (str(limit.requests), str(limit.seconds), str(seed))
    command = ["benchmarks.second_client", environment.control.url, SHARED, *numbers]
    other = stack.start("second-client", command, PYTHONPATH=ROOT)
    until(stack, lambda: environment.delivered > 0, [other])
    contacts = [f"contact-{number}" for number in range(jobs)]
    with system.sending(stack) as send:
        for contact in contacts:
            send(make_body(SHARED, contact))
    until(stack, lambda: system.left(stack) == 0, [*workers, other])
    end(stack, [other])
    end(stack, workers)
    requests = request_log.read_requests(environment.control)
    ours = [request for request in requests if not request.contact.startswith(CONTACT)]
    request_log.check_each_delivered_once(LANES, ours, contacts)
    last = max(request.arrived_at for request in ours)
    foreign = [one for one in requests if one.contact.startswith(CONTACT) and one.arrived_at <= last]
    return SharedResult(ours, foreign)


def _figures(results: list[SharedResult], limit: Limit) -> list[Figure]:
    def percent_throttled(requests: list[Request]) -> float:
        return 100 * sum(request.throttled for request in requests) / len(requests)

    return [
        Figure(
            SHARED,
            f"% of the window in use, mean over {limit.seconds} s windows",
            {
                BOTH: [one.use(one.all, limit) for one in results],
                LANES: [one.use(one.ours, limit) for one in results],
                OTHER: [one.use(one.foreign, limit) for one in results],
            },
            [Aim(at_least=USE_AIM)],
        ),
        Figure(
            SHARED,
            "% of requests answered with 429",
            {
                LANES: [percent_throttled(one.ours) for one in results],
                OTHER: [percent_throttled(one.foreign) for one in results],
                BOTH: [percent_throttled(one.all) for one in results],
            },
            [Aim(at_most=THROTTLED_AIM)],
        ),
    ]


def _chart(result: SharedResult, limit: Limit) -> Chart:
    first = min(request.arrived_at for request in result.all)

    def curve(label: str, requests: list[Request]) -> Curve:
        arrivals = [request.arrived_at for request in requests if not request.throttled]
        xs, ys = request_log.sliding_counts(arrivals, limit.seconds)
        return Curve(label, [min(arrivals) - first + x for x in xs], ys, steps=True)

    return Chart(
        f"One budget, two clients: requests in the last {limit.seconds} s that were not throttled",
        "seconds from the first request",
        f"requests in the last {limit.seconds} s",
        [curve(BOTH, result.all), curve(LANES, result.ours), curve(OTHER, result.foreign)],
        level=limit.requests,
        level_label=f"limit: {limit.requests}",
    )
