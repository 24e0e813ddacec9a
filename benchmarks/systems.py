"""The compared systems: how each takes a job, what drains it, and how many unfinished jobs it has."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import bare_celery, bare_dramatiq, commands
from benchmarks.bodies import Body
from benchmarks.commands import Command
from benchmarks.figures import BenchmarkError
from benchmarks.plan import Limit
from benchmarks.processor_time import processor_seconds
from benchmarks.upsert import API_URL, CERTIFICATE, REDIS_URL
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.processes import Child
from ops.embedded.stack import Stack
from producers import OpportunityProducer

ROOT = str(Path(__file__).parents[1])
READY = re.compile(r" ready\.| ready for action")
Send = Callable[[Body], object]


@dataclass(frozen=True, slots=True)
class System:
    """One way to get upserts to the API.

    Args:
        name: what the tables call it.
        sending: opens a function that enqueues one body.
        workers: a command line for each worker.
        left: how many jobs it has not finished.
        says_ready: how many processes of each worker say that they are ready.
        fill_at_once: enqueues many bodies; without it they are enqueued one by one.
    """

    name: str
    sending: Callable[[Stack], AbstractContextManager[Send]]
    workers: Sequence[Command]
    left: Callable[[Stack], int]
    says_ready: int = 1
    fill_at_once: Callable[[Stack, Sequence[Body]], None] | None = None

    def fill(self, stack: Stack, bodies: Sequence[Body]) -> None:
        """Enqueue these."""
        if self.fill_at_once is not None:
            self.fill_at_once(stack, bodies)
            return
        with self.sending(stack) as send:
            for body in bodies:
                send(body)

    def start(
        self, stack: Stack, api_url: str, limit: Limit | None = None, certificate: Path | None = None
    ) -> list[Child]:
        """Start its workers, without waiting for them; with a certificate they trust that alone."""
        environ = {"PYTHONPATH": ROOT, "LANES_API_BASE_URL": api_url, REDIS_URL: stack.redis.url, API_URL: api_url}
        if limit is not None:
            environ |= {"BARE_LIMIT": str(limit.requests), "BARE_WINDOW_SECONDS": str(limit.seconds)}
        lines = self.workers
        if certificate is not None:
            environ[CERTIFICATE] = str(certificate)
            lines = [commands.trusting(command) for command in lines]
        return [stack.start(f"worker-{number}", command, **environ) for number, command in enumerate(lines, 1)]

    def start_ready(self, stack: Stack, api_url: str, limit: Limit | None = None) -> list[Child]:
        """Start its workers, and wait until each process of them has said that it takes work."""
        workers = self.start(stack, api_url, limit)
        for worker in workers:
            stack.until(lambda child=worker: _times_ready(child) >= self.says_ready, worker)  # type: ignore[misc]
        return workers


def _times_ready(worker: Child) -> int:
    return len(READY.findall(worker.output))


def spent(workers: Sequence[Child]) -> float:
    """Return the processor time of some workers and their processes so far, in seconds."""
    return sum(processor_seconds(worker.pid) for worker in workers)


@contextmanager
def _to_lanes(stack: Stack) -> Iterator[Send]:
    with OpportunityProducer.from_settings(stack.load_settings()) as producer:
        yield producer.enqueue


def _fill_lanes(stack: Stack, bodies: Sequence[Body]) -> None:
    with OpportunityProducer.from_settings(stack.load_settings()) as producer:
        producer.enqueue_many(bodies)


def _left_in_lanes(stack: Stack) -> int:
    with connect(stack.redis.url) as client:
        counts = LaneStore(client).counts()
    if counts["dead"]:
        message = f"{counts['dead']} jobs are dead letters"
        raise BenchmarkError(message)
    return counts["accepted"] - counts["delivered"] - counts["merged"]


@contextmanager
def to_celery(stack: Stack) -> Iterator[Send]:
    """Open `apply_async`."""
    app = bare_celery.make_app(stack.redis.url)
    task = bare_celery.register(app)
    yield lambda body: task.apply_async((body,))
    app.close()


def _left_in_celery(stack: Stack) -> int:
    """Return how many messages wait or are not acknowledged; those that wait for their countdown are among these."""
    with connect(stack.redis.url) as client:
        return int(client.llen("celery")) + int(client.hlen("unacked"))


@contextmanager
def to_dramatiq(stack: Stack) -> Iterator[Send]:
    """Open `send`."""
    broker = bare_dramatiq.make_broker(stack.redis.url)
    yield bare_dramatiq.register(broker).send
    broker.close()


def _left_in_dramatiq(stack: Stack) -> int:
    """Return how many messages wait, are delayed, or are not acknowledged."""
    with connect(stack.redis.url) as client:
        return int(client.hlen("dramatiq:default.msgs")) + int(client.hlen("dramatiq:default.DQ.msgs"))


def lanes(name: str, *workers: Command) -> System:
    """Return the lanes, with these workers."""
    return System(name, _to_lanes, workers, _left_in_lanes, fill_at_once=_fill_lanes)


def celery(name: str, worker: Command) -> System:
    """Return Celery, one task per upsert."""
    return System(name, to_celery, [worker], _left_in_celery)


def dramatiq(name: str, worker: Command) -> System:
    """Return dramatiq, one message per upsert, with two processes."""
    return System(name, to_dramatiq, [worker], _left_in_dramatiq, says_ready=2)


def named_lanes(count: int) -> System:
    """Return the lanes with workers that have names of their own, and say when they are ready."""
    workers = [commands.as_node(commands.LANES, f"worker-{number}") for number in range(1, count + 1)]
    return lanes("lanes", *workers)
