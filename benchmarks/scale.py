"""A large backlog in many lanes on one Redis: the cost of a release, memory, a read, a crash."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import redis

from benchmarks import recovery
from benchmarks.bodies import Body, stream_bodies
from benchmarks.environment import until
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.memory import mean_content
from benchmarks.plan import Backlog, Plan, progress
from benchmarks.sampler import script_use
from benchmarks.store_loop import PLENTY, deliver_jobs
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.stack import Stack
from producers import OpportunityProducer

SETTINGS = {"LANES_BURST_LIMIT": str(PLENTY), "LANES_DAILY_LIMIT": str(PLENTY)}
COST_AIM, FILL_AIM, BYTES_AIM, STATUS_AIM = 1.5, 1.3, 500, 0.5
BATCHES = 6
LOOKS = 5
SAMPLED_BODIES = 50
REWRITE_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds to release and deliver one job, inside Redis and by the clock: the mean of a batch."""

    inside: float
    wall: float


@dataclass(frozen=True, slots=True)
class Size:
    """So many jobs over so many lanes."""

    jobs: int
    lanes: int

    def __str__(self) -> str:
        return f"{self.jobs:,} over {self.lanes:,} lanes"


@dataclass(frozen=True, slots=True)
class Fill:
    """Redis bytes per job besides its body, and jobs enqueued per second."""

    bytes_per_job: float
    rate: float


def measure(plan: Plan) -> Findings:
    """Measure once: the backlog takes minutes to make, and every cost is sampled in batches."""
    backlog = plan.backlog
    with Stack(plan.folder / "scale", SETTINGS) as stack:
        stack.start_redis()
        with connect(stack.redis.url) as client, OpportunityProducer.from_settings(stack.load_settings()) as producer:
            progress(f"scale: {backlog.sample} jobs released and delivered, {backlog.few} pending")
            few = _costs_of_few(client, producer, backlog)
            status_few = _look(plan, stack, LaneStore(client).counts()["pending"])
            client.flushall()
            tenth = Size(backlog.jobs // 10, max(1, backlog.lanes // 10))
            progress(f"scale: {tenth.jobs} jobs over {tenth.lanes} lanes")
            fill_tenth = _fill(client, producer, tenth)
            client.flushall()
            size = Size(backlog.jobs, backlog.lanes)
            progress(f"scale: {size.jobs} jobs over {size.lanes} lanes")
            fill = _fill(client, producer, size)
            _wait_until_quiet(stack, client)
            progress(f"scale: {backlog.sample} jobs released and delivered, {backlog.jobs} pending")
            many = [_cost(client, backlog.sample // BATCHES) for _ in range(BATCHES)]
            pending = LaneStore(client).counts()["pending"]
        status = {f"{backlog.lanes:,} lanes": _look(plan, stack, pending), "few lanes": status_few}
        recovered = recovery.recover(stack, backlog.watched)
    figures = [
        *_cost_figures(backlog, few, many),
        *_size_figures({size: fill, tenth: fill_tenth}, status),
        *recovery.figures(recovered),
    ]
    counts = {
        "accepted": backlog.jobs,
        "pending": pending,
        "sampled": len(many) * (backlog.sample // BATCHES),
        "sent_twice": recovered.sent_twice,
    }
    return Findings(figures, counts, [recovery.chart(recovered)])


def _costs_of_few(client: "redis.Redis", producer: OpportunityProducer, backlog: Backlog) -> list[Cost]:
    """Sample with few jobs pending; as many as were delivered are put back before the next batch."""
    size = backlog.sample // BATCHES
    rows = stream_bodies(backlog.few + backlog.sample, max(1, backlog.few * backlog.lanes // backlog.jobs))
    costs = []
    for batch in range(BATCHES):
        producer.enqueue_many(islice(rows, size if batch else backlog.few))
        costs.append(_cost(client, size))
    return costs


def _cost(client: "redis.Redis", count: int) -> Cost:
    before = script_use(client)
    seconds = deliver_jobs(LaneStore(client), count)
    inside = script_use(client).microseconds - before.microseconds
    return Cost(inside / count, 1e6 * seconds / count)


def _fill(client: "redis.Redis", producer: OpportunityProducer, size: Size) -> Fill:
    """Enqueue so many; the length of the bodies is that of a sample over all of it.

    Raises:
        BenchmarkError: some of it was not accepted.
    """
    before = client.info("memory")["used_memory"]
    sampled: list[Body] = []

    def rows() -> Iterator[Body]:
        for number, body in enumerate(stream_bodies(size.jobs, size.lanes)):
            if number % SAMPLED_BODIES == 0:
                sampled.append(body)
            yield body

    started = time.monotonic()
    accepted = producer.enqueue_many(rows()).accepted
    seconds = time.monotonic() - started
    if accepted != size.jobs:
        message = f"only {accepted} of {size.jobs} jobs were accepted"
        raise BenchmarkError(message)
    grown = client.info("memory")["used_memory"] - before
    return Fill(grown / size.jobs - mean_content(sampled), size.jobs / seconds)


def _wait_until_quiet(stack: Stack, client: "redis.Redis") -> None:
    """Wait until Redis does not rewrite its append-only file in the background."""

    def quiet() -> bool:
        state = client.info("persistence")
        return not (state["aof_rewrite_in_progress"] or state["aof_rewrite_scheduled"])

    until(stack, quiet, (), REWRITE_POLL_SECONDS)


def _look(plan: Plan, stack: Stack, pending: int) -> list[float]:
    return [_time_status(stack, pending) for _ in range(1 if plan.brief else LOOKS)]


def _time_status(stack: Stack, pending: int) -> float:
    """Return the seconds that `lanes status --json` takes.

    Raises:
        BenchmarkError: it reports another number of pending jobs.
    """
    command = [str(Path(sys.executable).with_name("lanes")), "status", "--json"]
    started = time.monotonic()
    done = subprocess.run(command, env=stack.environ, cwd=stack.folder, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode or json.loads(done.stdout)["pending"] != pending:
        message = f"lanes status --json: exit {done.returncode}, not {pending} pending: {done.stderr[-300:]}"
        raise BenchmarkError(message)
    return seconds


def _cost_figures(backlog: Backlog, few: list[Cost], many: list[Cost]) -> list[Figure]:
    ours, theirs = f"{backlog.jobs:,} pending", f"{backlog.few:,} pending"
    return [
        Figure(
            "scale",
            "us inside Redis to release and deliver a job",
            {ours: [cost.inside for cost in many], theirs: [cost.inside for cost in few]},
            [Aim(at_most=COST_AIM, baseline=theirs)],
        ),
        Figure(
            "scale",
            "us by the clock to release and deliver a job",
            {ours: [cost.wall for cost in many], theirs: [cost.wall for cost in few]},
        ),
    ]


def _size_figures(fills: dict[Size, Fill], status: dict[str, list[float]]) -> list[Figure]:
    (size, fill), (tenth, _) = fills.items()
    rows = {str(one): [1e6 / filled.rate] for one, filled in fills.items()}
    return [
        Figure(
            "scale", "bytes per pending job beside its body", {"lanes": [fill.bytes_per_job]}, [Aim(at_most=BYTES_AIM)]
        ),
        Figure("scale", "us for a row, enqueue_many", rows, [Aim(at_most=FILL_AIM, baseline=str(tenth))]),
        Figure("scale", f"jobs/s, enqueue_many of {size}", {"lanes": [fill.rate]}),
        Figure("scale", "s for lanes status --json", status, [Aim(at_most=STATUS_AIM)]),
    ]
