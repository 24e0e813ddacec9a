"""Redis killed and started again under a large backlog, with the workers running: how long, and with what rush."""

import time
from dataclasses import dataclass
from statistics import median

from benchmarks import systems
from benchmarks.api_server import ApiServer, Behaviour
from benchmarks.charts import Chart, Curve
from benchmarks.environment import end, until
from benchmarks.figures import Aim, BenchmarkError, Figure
from benchmarks.plan import progress
from benchmarks.sampler import SECOND, Sample, Sampler, per_second
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.stack import Stack

WORKERS = 2
LATENCY = 0.2
AWAY_SECONDS = 1.0
LOAD_SECONDS = 600.0
RUSH_AIM = 2
BEFORE, AFTER = "before the kill", "after the restart"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was seen. Times monotonic, in seconds; `loading` until Redis answered, `idle` from then to a request."""

    killed_at: float
    loaded_at: float
    loading: float
    idle: float
    sent_twice: int
    before: list[Sample]
    after: list[Sample]


def recover(stack: Stack, watched: float) -> Recovery:
    """Let workers drain, kill Redis in the midst, start it again, and watch so many seconds more.

    Raises:
        BenchmarkError: an accepted job is in no state, or one was delivered that the API has not seen.
    """
    already = _counts(stack)["delivered"]
    server = ApiServer.start(stack, Behaviour(latency=(LATENCY, LATENCY)))
    workers = systems.named_lanes(WORKERS).start_ready(stack, server.url)
    until(stack, lambda: server.tally.count > 0, workers)
    with Sampler(stack.redis.url, server) as sampler:
        time.sleep(watched / 2)
        until(stack, lambda: bool(per_second(sampler.samples, "requests")), workers)  # a busy machine takes longer
        killed_at = time.monotonic()
        stack.redis.kill()
        time.sleep(AWAY_SECONDS)
        count = server.tally.count
        started_at = time.monotonic()
        stack.redis.start(LOAD_SECONDS)
        loaded_at = time.monotonic()
        progress(f"scale: loaded within {loaded_at - started_at:.1f} s")
        until(stack, lambda: server.tally.count > count, workers, poll=0.02)
        idle = time.monotonic() - loaded_at
        time.sleep(watched)
    end(stack, workers)
    sent_twice = _check(stack, server, already)
    before = [sample for sample in sampler.samples if sample.at < killed_at]
    after = [sample for sample in sampler.samples if sample.at > loaded_at]
    return Recovery(killed_at, loaded_at, loaded_at - started_at, idle, sent_twice, before, after)


def _counts(stack: Stack) -> dict[str, int]:
    with connect(stack.redis.url) as client:
        return LaneStore(client).counts()


def _check(stack: Stack, server: ApiServer, already: int) -> int:
    """Return how many requests came for jobs that were delivered by another."""
    counts, seen = _counts(stack), server.tally.count
    surplus = seen + already - counts["delivered"]
    if counts["pending"] + counts["delivered"] != counts["accepted"] or surplus < 0:
        message = f"after the restart: the server saw {seen} requests, {already} were delivered before it: {counts}"
        raise BenchmarkError(message)
    return surplus


def figures(found: Recovery) -> list[Figure]:
    """Return them; steady is what the second half of the time after the restart shows."""
    calls = per_second(found.after, "calls")
    steady = calls[len(calls) // 2 :]
    largest = f"most in any second {AFTER}"
    return [
        Figure("scale", "s until a killed Redis has loaded", {"lanes": [found.loading]}),
        Figure("scale", "s from then to the next request", {"lanes": [found.idle]}),
        Figure(
            "scale",
            "requests/s",
            {AFTER: _late(per_second(found.after, "requests")), BEFORE: per_second(found.before, "requests")},
        ),
        Figure(
            "scale",
            "script calls/s",
            {largest: [max(calls)], f"steady, {AFTER}": steady, BEFORE: per_second(found.before, "calls")},
            [Aim(at_most=RUSH_AIM, baseline=f"steady, {AFTER}")],
        ),
        Figure(
            "scale",
            "connected clients",
            {f"most {AFTER}": [max(sample.clients for sample in found.after)], BEFORE: [_clients(found.before)]},
        ),
    ]


def _late(rates: list[float]) -> list[float]:
    return rates[len(rates) // 2 :]


def _clients(samples: list[Sample]) -> float:
    return median(sample.clients for sample in samples)


def chart(found: Recovery) -> Chart:
    """Draw requests and script calls a second around the kill."""

    def curve(label: str, name: str) -> Curve:
        xs, ys = [], []
        for samples in (found.before, found.after):
            rates = per_second(samples, name)
            xs += [sample.at - found.killed_at for sample in samples[len(samples) - len(rates) :]] + [float("nan")]
            ys += [*rates, float("nan")]
        return Curve(label, xs, ys)

    return Chart(
        f"Redis killed under a backlog, {WORKERS} workers",
        "seconds from the kill",
        f"in the last {SECOND:g} s",
        [curve("requests at the API", "requests"), curve("script calls in Redis", "calls")],
        marks=[(0.0, "killed"), (found.loaded_at - found.killed_at, "loaded")],
    )
