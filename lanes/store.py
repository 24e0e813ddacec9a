"""The transitions, one method each, over a synchronous Redis client."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import redis
from redis.exceptions import NoScriptError, ResponseError

from lanes import transitions
from lanes.job import MICROSECONDS, Accepted, Job, Lane, Order, Reclaimed, Result, Survey, read_counts
from lanes.keys import DEFAULT_PREFIX, build
from lanes.loader import Script, load
from lanes.redis_errors import UNAVAILABLE, explain, own_errors, unavailable, url_errors
from lanes.transitions import Argument, Limits, Seat, microseconds

MOST_CONNECTIONS = 10_000  # one a thread; as many clients as Redis takes by default


def accepted_or_error(reply: Any, script: Script) -> Accepted | Exception:
    """Read one reply of a pipeline of enqueues."""
    return explain(script, reply) if isinstance(reply, ResponseError) else transitions.accepted(reply)


def queue_job_reads(pipeline: Any, prefix: str, job_ids: Sequence[str]) -> None:
    """Put the reads of some jobs into a pipeline; `parse_jobs` reads the replies."""
    for job_id in job_ids:
        pipeline.hgetall(build(prefix, "job", job_id))
        pipeline.get(build(prefix, "body", job_id))
        pipeline.lrange(build(prefix, "attempts", job_id), 0, -1)


def parse_jobs(job_ids: Sequence[str], replies: Sequence[Any]) -> list[Job | None]:
    """Read the replies to `queue_job_reads`; None for a job that is not there (any more)."""
    return [
        Job.parse(job_id, replies[3 * index], replies[3 * index + 1], replies[3 * index + 2])
        if replies[3 * index]
        else None
        for index, job_id in enumerate(job_ids)
    ]


def connect(url: str, **options: Any) -> "redis.Redis":
    """Return a client with bounded waits: a Redis that is away is an error within seconds, not a hang.

    Raises:
        SettingsError: the URL is no URL of a Redis.
    """
    waits = {"socket_connect_timeout": 5, "socket_timeout": 10, "health_check_interval": 30}
    with url_errors():
        client = redis.Redis.from_url(url, **{"max_connections": MOST_CONNECTIONS, **waits, **options})
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # made to see it refuse what it does not know, not to be used
    return client


class LaneStore:
    """The state machine in Redis. Thread-safe; every method is one round trip.

    Errors: `RedisUnavailableError` when Redis is away or does not take writes, `ScriptError` when a script fails.
    """

    def __init__(self, client: "redis.Redis", prefix: str = DEFAULT_PREFIX, *, test_clock: bool = False) -> None:
        self.client = client
        self.prefix = prefix
        self._test_clock = test_clock

    def key(self, name: str, *values: str) -> str:
        """Return the key called `name` of this store."""
        return build(self.prefix, name, *values)

    def script(self, name: str) -> Script:
        """Return the script of a transition as this store sends it."""
        return load(name, self.prefix, test_clock=self._test_clock)

    def _run(self, name: str, *arguments: Argument) -> Any:
        script = self.script(name)
        try:
            try:
                return self.client.evalsha(script.sha, 0, *arguments)
            except NoScriptError:
                return self.client.eval(script.text, 0, *arguments)
        except UNAVAILABLE as error:
            raise unavailable(error) from error
        except ResponseError as error:
            raise explain(script, error) from error

    def enqueue(self, order: Order, idempotency_seconds: float) -> Accepted:
        """Put a job into its lane, or find the job that the same id or idempotency key made earlier."""
        return transitions.accepted(self._run("enqueue", *transitions.enqueue_arguments(order, idempotency_seconds)))

    def enqueue_many(self, orders: Sequence[Order], idempotency_seconds: float) -> list[Accepted | Exception]:
        """Put jobs into their lanes in one round trip; the answers come in the order of the orders."""
        script = self.script("enqueue")
        try:
            pipeline = self.client.pipeline(transaction=False)
            pipeline.script_load(script.text)
            for order in orders:
                pipeline.evalsha(script.sha, 0, *transitions.enqueue_arguments(order, idempotency_seconds))
            replies = pipeline.execute(raise_on_error=False)[1:]
        except UNAVAILABLE as error:
            raise unavailable(error) from error
        return [accepted_or_error(reply, script) for reply in replies]

    def release(self, seat: Seat) -> Result:
        """Release the next job of the lane whose turn it is."""
        return transitions.result(self._run("release", *transitions.release_arguments(seat)))

    def _report(
        self,
        name: str,
        job_id: str,
        attempt: int,
        detail: str,
        limits: Limits,
        *own: Argument,
        take: Seat | None,
    ) -> Result:
        following = () if take is None else transitions.release_arguments(take)
        window = microseconds(limits.window)
        return transitions.result(self._run(name, job_id, attempt, detail, window, *own, *following))

    def deliver(
        self,
        job_id: str,
        attempt: int,
        detail: str,
        limits: Limits,
        *,
        retention: float,
        take: Seat | None = None,
    ) -> Result:
        """Report that the API took the job; with `take`, release the next one in the same call."""
        return self._report("deliver", job_id, attempt, detail, limits, round(retention * 1000), take=take)

    def retry(
        self,
        job_id: str,
        attempt: int,
        detail: str,
        limits: Limits,
        *,
        delay: float,
        take: Seat | None = None,
    ) -> Result:
        """Report a failure that may pass; the job waits `delay` seconds."""
        return self._report("retry", job_id, attempt, detail, limits, microseconds(delay), take=take)

    def throttle(
        self, job_id: str, attempt: int, detail: str, limits: Limits, *, wait: float, take: Seat | None = None
    ) -> Result:
        """Report a 429; the lane waits `wait` seconds."""
        return self._report("throttle", job_id, attempt, detail, limits, microseconds(wait), take=take)

    def bury(
        self,
        job_id: str,
        attempt: int,
        detail: str,
        limits: Limits,
        *,
        reason: str,
        hold: str = "",
        take: Seat | None = None,
    ) -> Result:
        """Report a failure for good; with `hold`, the lane stops behind the job, for that reason."""
        return self._report("bury", job_id, attempt, detail, limits, reason, hold, take=take)

    def reclaim(self, most: int, max_attempts: int) -> list[Reclaimed]:
        """Take back jobs whose lease has ended, at most `most`."""
        return transitions.reclaimed(self._run("reclaim", most, max_attempts))

    def expire(self, most: int, retention: float) -> list[str]:
        """Withdraw pending jobs whose time is over, at most `most`; return their ids."""
        reply = self._run("expire", most, round(retention * 1000))
        return [job_id.decode() for job_id in reply[::2]]

    def cancel(self, job_id: str, retention: float) -> str:
        """Withdraw a pending job; return `cancelled`, `unknown`, or the state that it is in instead."""
        return cast("bytes", self._run("cancel", job_id, round(retention * 1000))).decode()

    def replay(self, job_id: str) -> str:
        """Send a dead letter again; return `replayed`, `unknown`, or the state that it is in instead."""
        return cast("bytes", self._run("replay", job_id)).decode()

    def purge(self, job_id: str, retention: float) -> str:
        """Give a dead letter up; return `purged`, `unknown`, or the state that it is in instead."""
        return cast("bytes", self._run("purge", job_id, round(retention * 1000))).decode()

    def hold(self, location_id: str, reason: str, by: str) -> str:
        """Stop a lane."""
        return cast("bytes", self._run("hold", location_id, reason, by)).decode()

    def resume(self, location_id: str) -> str:
        """Let a held lane go on; return `resumed`, or `free` when it was not held."""
        return cast("bytes", self._run("resume", location_id)).decode()

    def survey(self, most: int, limits: Limits) -> Survey:
        """Count what could be sent now, up to `most`, and tell when to ask again."""
        return transitions.survey(self._run("survey", most, limits.burst))

    def audit_jobs(self, job_ids: Sequence[str]) -> list[str]:
        """Return a line for each thing that is wrong with the place of a job."""
        return [line.decode() for line in self._run("audit_jobs", *job_ids)]

    def counts(self) -> dict[str, int]:
        """Return the number of jobs accepted and in each state, and of attempts `retried`, `throttled`, `reclaimed`."""
        return read_counts(self.read(lambda client: client.hgetall(self.key("counts"))))

    def lanes(self) -> list[Lane]:
        """Return every lane in numbers, in the order of the location ids."""
        names = sorted(name.decode() for name in self.read(lambda client: client.smembers(self.key("locations"))))
        lanes: list[Lane] = []
        for start in range(0, len(names), 1000):
            lanes += self._lanes(names[start : start + 1000])
        return lanes

    def _lanes(self, names: Sequence[str]) -> list[Lane]:
        def ask(client: "redis.Redis") -> list[Any]:
            pipeline = client.pipeline(transaction=False)
            pipeline.time()
            for name in names:
                pipeline.hgetall(self.key("lane", name))
                pipeline.zcard(self.key("slots", name))
                pipeline.zscore(self.key("due"), name)
            return pipeline.execute()

        (seconds, micros), *replies = self.read(ask)
        now = seconds + micros / MICROSECONDS
        return [
            Lane.parse(name, replies[3 * i], replies[3 * i + 1], replies[3 * i + 2], now)
            for i, name in enumerate(names)
        ]

    def dead_ids(self) -> Iterator[str]:
        """Go through the ids of all dead letters, oldest first."""
        start = 0
        while ids := self.read(lambda client, at=start: client.zrange(self.key("dead"), at, at + 499)):  # type: ignore[misc]
            yield from (job_id.decode() for job_id in ids)
            start += len(ids)

    def read(self, ask: Callable[["redis.Redis"], Any]) -> Any:
        """Ask Redis something; what goes wrong is raised as the errors of this package."""
        with own_errors():
            return ask(self.client)

    def job(self, job_id: str) -> Job | None:
        """Return a job with its body and attempts, or None when there is none (any more)."""
        return self.jobs([job_id])[0]

    def jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        """Return jobs in one round trip, in the order asked for."""

        def ask(client: "redis.Redis") -> list[Any]:
            pipeline = client.pipeline(transaction=True)
            queue_job_reads(pipeline, self.prefix, job_ids)
            return pipeline.execute()

        return parse_jobs(job_ids, self.read(ask))
