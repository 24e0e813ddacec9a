"""What is kept of a delivered job, and whether it leaves room for new ones when Redis is full of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import redis

from benchmarks.bodies import Body, make_bodies, stream_bodies
from benchmarks.charts import Chart, Curve
from benchmarks.draining import SETTINGS
from benchmarks.figures import Aim, BenchmarkError, Figure, Findings
from benchmarks.plan import History, Plan, progress
from benchmarks.redis_server import EVERYSEC, start_redis
from benchmarks.store_loop import LIMITS, deliver_jobs, retry_jobs
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.stack import Stack
from producers.new_job import make_new_job

LOCATIONS = 50
PREFIX = "lanes:"
RETRIES = 2
BATCH = 500
MEMORY = "its memory is full"
# Time runs faster than the machine: so many seconds pass while a batch is delivered.
SECONDS_A_BATCH = 10.0
JOB_AIM, ATTEMPT_AIM = 300, 60


class FastStore(LaneStore):
    """A store whose clock the benchmark sets."""

    def __init__(self, client: "redis.Redis") -> None:
        super().__init__(client, PREFIX, test_clock=True)
        self._now, self._client = 1_700_000_000.0, client
        self.pass_time(0)

    def pass_time(self, seconds: float) -> None:
        """Set the clock forward."""
        self._now += seconds
        self._client.set(f"{PREFIX}test-clock", round(self._now * 1_000_000))

    def fill(self, bodies: list[Body]) -> int:
        """Enqueue these in one call; return how many were accepted, and the others were refused for want of memory.

        Raises:
            BenchmarkError: one was refused for another reason.
        """
        results = self.enqueue_many([make_new_job(body) for body in bodies], 0)
        errors = [one for one in results if isinstance(one, Exception)]
        if other := [error for error in errors if MEMORY not in str(error)]:
            message = f"history: {len(other)} of {len(bodies)} were not accepted: {other[0]}"
            raise BenchmarkError(message)
        return len(bodies) - len(errors)


@dataclass(frozen=True, slots=True)
class Passed:
    """Jobs that a small Redis took and delivered, jobs that it refused, and its MB after each batch."""

    delivered: int
    refused: int
    memory: list[float]


def measure(plan: Plan) -> Findings:
    """Deliver jobs with one attempt, and with more; then let several times the memory of a small Redis pass."""
    history = plan.history
    progress(f"history: {history.jobs} jobs with one attempt, and with {1 + RETRIES}")
    one = _bytes_each(plan, history.jobs, retries=0)
    more = (_bytes_each(plan, history.jobs, retries=RETRIES) - one) / RETRIES
    count = max(BATCH, round(history.times * history.megabytes * 2**20 / one))
    progress(f"history: {count} jobs through a Redis of {history.megabytes} MB")
    passed = _pass(plan, count)
    refused = f"jobs refused while {history.times} times the memory of Redis passes as history"
    figures = [
        Figure("history", "bytes kept of a delivered job", {"lanes": [one]}, [Aim(at_most=JOB_AIM)], EVERYSEC),
        Figure("history", "bytes kept of each more attempt", {"lanes": [more]}, [Aim(at_most=ATTEMPT_AIM)], EVERYSEC),
        Figure("history", refused, {"lanes": [passed.refused]}, [Aim(at_most=0)], EVERYSEC),
    ]
    return Findings(figures, {"jobs": history.jobs, "passed": passed.delivered}, [_chart(history, passed)])


def _chart(history: History, passed: Passed) -> Chart:
    batches = [BATCH * (place + 1) for place in range(len(passed.memory))]
    level = float(history.megabytes) or None
    return Chart(
        "History passes through a small Redis",
        "jobs enqueued and delivered",
        "MB that Redis uses",
        [Curve("used memory", batches, passed.memory)],
        level,
        "maxmemory",
    )


def _bytes_each(plan: Plan, count: int, *, retries: int) -> float:
    """Return what Redis grows by for each delivered job, when the slots of the rate limits are free again."""
    with Stack(plan.folder / f"history-{retries}", SETTINGS) as stack:
        start_redis(stack, EVERYSEC)
        with connect(stack.redis.url) as client:
            store = FastStore(client)
            _deliver(store, make_bodies(LOCATIONS, LOCATIONS))
            before = client.info("memory")["used_memory"]
            bodies = make_bodies(count, LOCATIONS)
            for batch in _batches(bodies[LOCATIONS:]):
                _deliver(store, batch, retries)
            _deliver(store, bodies[:LOCATIONS], retries)
            grown: int = client.info("memory")["used_memory"] - before
    return grown / count


def _deliver(store: FastStore, bodies: list[Body], retries: int = 0) -> None:
    """Enqueue and deliver these; then the windows of the limits are over.

    Raises:
        BenchmarkError: one was refused.
    """
    if store.fill(bodies) != len(bodies):
        message = "history: Redis has no memory for the jobs"
        raise BenchmarkError(message)
    for _ in range(retries):
        retry_jobs(store, len(bodies))
    deliver_jobs(store, len(bodies))
    store.pass_time(max(SECONDS_A_BATCH, 2 * LIMITS.window))


def _pass(plan: Plan, count: int) -> Passed:
    """Enqueue and deliver batches, one after the other; a job that Redis refuses is not tried again."""
    options = ("--maxmemory", f"{plan.history.megabytes}mb")
    with Stack(plan.folder / "history-small", SETTINGS) as stack:
        start_redis(stack, EVERYSEC, *options)
        with connect(stack.redis.url) as client:
            store, refused, memory = FastStore(client), 0, []
            for batch in _batches(stream_bodies(count, LOCATIONS)):
                accepted = store.fill(batch)
                refused += len(batch) - accepted
                if accepted:
                    deliver_jobs(store, accepted)
                store.pass_time(SECONDS_A_BATCH)
                memory.append(client.info("memory")["used_memory"] / 2**20)
            counts = store.counts()
    if counts["pending"] or counts["in_flight"] or counts["delivered"] != counts["accepted"]:
        message = f"history: {counts}, which is not what was done"
        raise BenchmarkError(message)
    return Passed(counts["delivered"], refused, memory)


def _batches(bodies: Iterable[Body]) -> Iterator[list[Body]]:
    waiting = iter(bodies)
    while batch := list(islice(waiting, BATCH)):
        yield batch
