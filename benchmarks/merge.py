"""Many updates: each record is updated repeatedly, faster than its location's rate limit allows."""

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from benchmarks import request_log, systems
from benchmarks.bodies import Body, make_body
from benchmarks.environment import Environment, end, start_environment, until
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.plan import Plan, Storm, progress
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from producers import OpportunityProducer

LATENCY = (0.05, 0.15)
MERGED, WITHOUT = "merge=True", "without"


@dataclass(frozen=True, slots=True)
class MergeResult:
    """Requests sent, and seconds from the first enqueue to the last answer."""

    requests: int
    seconds: float


def measure(plan: Plan) -> Findings:
    """Send the same updates with and without merging, one after the other."""
    options: dict[str, dict[str, Any]] = {MERGED: {"merge": True}, WITHOUT: {}}
    rows = make_storm(plan.storm)
    results: dict[str, list[MergeResult]] = {name: [] for name in options}
    for run in range(1, plan.long_runs + 1):
        for name, chosen in options.items():
            progress(
                f"merge: run {run} of {plan.long_runs}: {name}, {len(rows)} updates of {plan.storm.records} records"
            )
            folder = plan.folder / f"merge-{run}-{len(chosen)}"
            with start_environment(folder, plan.storm_limit, LATENCY) as environment:
                results[name].append(_run(environment, plan.storm, rows, chosen))
    counts = {"updates": len(rows), "requests": {name: [one.requests for one in ran] for name, ran in results.items()}}
    return Findings(_figures(results), counts)


def make_storm(storm: Storm) -> list[Body]:
    """Return the updates in a random order, the same each time; the value of a record counts its updates."""
    order = [record for record in range(storm.records) for _ in range(storm.updates)]
    random.Random(1).shuffle(order)
    values: Counter[int] = Counter()
    rows = []
    for record in order:
        values[record] += 1
        rows.append(make_body(f"loc-{record % storm.locations}", f"contact-{record}", values[record]))
    return rows


def _run(environment: Environment, storm: Storm, rows: list[Body], options: dict[str, Any]) -> MergeResult:
    """Let a worker run, and enqueue all at once.

    Raises:
        BenchmarkError: the sandbox does not end with the last value of each record, or the counts do not add up.
    """
    stack = environment.stack
    system = systems.named_lanes(1)
    workers = system.start_ready(stack, environment.control.url)
    with OpportunityProducer.from_settings(stack.load_settings()) as producer:
        started = time.monotonic()
        producer.enqueue_many(rows, **options)
        until(stack, lambda: system.left(stack) == 0, workers)
    end(stack, workers)
    requests = request_log.read_requests(environment.control)
    with connect(stack.redis.url) as client:
        counts = LaneStore(client).counts()
    values = {record["contactId"]: record["monetaryValue"] for record in environment.control.records()}
    delivered = sum(request.succeeded for request in requests)
    wrong = sum(value != storm.updates for value in values.values())
    if wrong or len(values) != storm.records:
        message = f"{len(values)} of {storm.records} records arrived, {wrong} without their last value"
        raise BenchmarkError(message)
    if counts["accepted"] != len(rows) or delivered != len(rows) - counts["merged"]:
        message = f"{delivered} upserts took effect, the counts are {counts}"
        raise BenchmarkError(message)
    if not options:
        request_log.check_each_delivered_once(WITHOUT, requests, (str(row["contactId"]) for row in rows))
    return MergeResult(len(requests), max(request.answered_at for request in requests) - started)


def _figures(results: dict[str, list[MergeResult]]) -> list[Figure]:
    aims = [Aim(at_most=1, baseline=WITHOUT)]
    return [
        Figure(
            "merge", "requests sent", {name: [one.requests for one in found] for name, found in results.items()}, aims
        ),
        Figure(
            "merge",
            "s until all is delivered",
            {name: [one.seconds for one in found] for name, found in results.items()},
            aims,
        ),
    ]
