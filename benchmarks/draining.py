"""One drain: a full Redis, workers, a server; how fast it empties, and with how much processor time per upsert."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from benchmarks.api_server import INSTANT, ApiServer, Behaviour
from benchmarks.bodies import Body
from benchmarks.environment import until
from benchmarks.figures import BenchmarkError
from benchmarks.redis_server import EVERYSEC, RedisUse, start_redis
from benchmarks.store_loop import PLENTY
from benchmarks.systems import ROOT, System, spent
from benchmarks.upsert import CERTIFICATE
from ops.embedded.stack import Stack

BEGIN_POLL_SECONDS = 0.01
ALONE_SECONDS = 300.0
SETTINGS = {"LANES_BURST_LIMIT": str(PLENTY), "LANES_DAILY_LIMIT": str(PLENTY)}


@dataclass(frozen=True, slots=True)
class Drain:
    """What one drain came to: upserts a second, requests that the server saw, how many of them beyond the limit.

    `milliseconds` of processor time for each upsert: of the workers, and of Redis (0 without one).
    """

    rate: float
    milliseconds: float
    requests: int
    redis_milliseconds: float = 0.0
    throttled: int = 0

    @property
    def both(self) -> float:
        """Processor milliseconds of workers and Redis."""
        return self.milliseconds + self.redis_milliseconds


def drain(
    folder: Path,
    side: System,
    bodies: Sequence[Body],
    baseline: Callable[[Stack], AbstractContextManager[object]] = nullcontext,
    *,
    appendfsync: str = EVERYSEC,
    behaviour: Behaviour = INSTANT,
) -> Drain:
    """Fill an empty Redis, start the workers, and measure from the first request to the last answer.

    `baseline` is open all the while, from before the workers start.

    Raises:
        BenchmarkError: the server saw another number of requests than there are jobs.
    """
    with Stack(folder, {} if behaviour.limit[0] else SETTINGS) as stack, ExitStack() as around:
        start_redis(stack, appendfsync)
        server = ApiServer.start(stack, behaviour)
        side.fill(stack, bodies)
        around.enter_context(baseline(stack))
        workers = side.start(stack, server.url, certificate=server.certificate)
        before, redis_before = 0.0, RedisUse.read(stack.redis.url)

        def begun() -> bool:
            nonlocal before, redis_before
            spent_so_far, redis_so_far = spent(workers), RedisUse.read(stack.redis.url)
            if server.tally.count:
                return True
            before, redis_before = spent_so_far, redis_so_far
            return False

        needed = [*workers, server.child]
        until(stack, begun, needed, BEGIN_POLL_SECONDS)
        until(stack, lambda: server.tally.count >= len(bodies) and side.left(stack) == 0, needed)
        processor = spent(workers) - before
        used = RedisUse.read(stack.redis.url).microseconds_since(redis_before, len(bodies)) / 1000
        tally = server.tally
    if tally.count != len(bodies) + tally.throttled:
        message = f"{side.name}: the server saw {tally.count} requests for {len(bodies)} jobs"
        raise BenchmarkError(message)
    return Drain(tally.rate, 1000 * processor / tally.count, tally.count, used, tally.throttled)


def send_alone(
    folder: Path, command: Callable[[str], Sequence[str]], count: int, behaviour: Behaviour = INSTANT
) -> Drain:
    """Send without any queue, by a command for the URL of the server whose last line is its processor time.

    Raises:
        BenchmarkError: it failed.
    """
    with Stack(folder) as stack:
        server = ApiServer.start(stack, behaviour)
        environ = {} if server.certificate is None else {CERTIFICATE: str(server.certificate)}
        child = stack.start("alone", command(server.url), PYTHONPATH=ROOT, **environ)
        if child.wait(ALONE_SECONDS) != 0 or server.tally.count != count:
            message = f"without a queue: {server.tally.count} of {count} arrived:\n{child.tail()}"
            raise BenchmarkError(message)
        tally = server.tally
        return Drain(tally.rate, 1000 * float(child.tail(1)) / count, tally.count, throttled=tally.throttled)
