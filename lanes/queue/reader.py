"""What stands in Redis, read: lanes, jobs, counts; and how a script is called."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import redis
from redis.exceptions import NoScriptError, ResponseError

from lanes.queue import transitions
from lanes.queue.dead_letter_summary import DeadLetterSummary
from lanes.queue.global_state import GlobalState
from lanes.queue.job import Job
from lanes.queue.lane import Lane, read_counts
from lanes.queue.lane_jobs import LaneJobs, MergedJobs
from lanes.queue.results import DueJobs
from lanes.queue.transitions import DefaultLimits
from lanes.queue.waiting import QueuePosition
from lanes.storage.keys import DEFAULT_PREFIX, build
from lanes.storage.redis_errors import UNAVAILABLE, explain, own_errors, unavailable
from lanes.storage.schema import check_schema
from lanes.storage.scripts import Argument, Script, load
from lanes.storage.stored import MICROSECONDS

LANES_IN_A_CALL = 100


def merge_targets(jobs: Sequence[Job | None]) -> list[str]:
    """Return the ids of the jobs that some of these were merged into, each once."""
    return sorted({job.merged_into for job in jobs if job and job.merged_into})


def with_merge_outcomes(jobs: Sequence[Job | None], carriers: Mapping[str, Job | None]) -> list[Job | None]:
    """Return the jobs, those that were merged with what became of their carriers, as far as these are still there."""
    return [
        job.with_outcome_of(merge_target) if job and (merge_target := carriers.get(job.merged_into or "")) else job
        for job in jobs
    ]


class LaneReader:
    """Reads what the transitions of `LaneStore` made. Thread-safe.

    Errors: `RedisUnavailableError` when Redis is away, `ScriptError` when a script fails.
    """

    def __init__(self, client: "redis.Redis", prefix: str = DEFAULT_PREFIX, *, test_clock: bool = False) -> None:
        self.prefix = prefix
        self._client = client
        self._checked = False
        self._test_clock = test_clock

    @property
    def client(self) -> "redis.Redis":
        """The connection to Redis. The first use checks the layout of the data."""
        if not self._checked:
            self.check_schema()
        return self._client

    def check_schema(self) -> None:
        """See that the data have the layout of this version.

        Raises:
            RedisUnavailableError: they have another, or Redis is away.
        """
        with own_errors():
            try:
                stored: Any = self._client.get(self.key("schema"))
            except ResponseError as error:
                stored = error
            check_schema(stored)
        self._checked = True

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

    def run(self, name: str, *arguments: Argument) -> Any:
        """Run a script for a store that keeps other things beside the lanes."""
        return self._run(name, *arguments)

    def run_many(self, name: str, calls: Iterable[Sequence[Argument]]) -> list[Any]:
        """Call a script many times, each call atomic by itself, in one round trip.

        Raises:
            ScriptError, RedisUnavailableError: a call failed; others of them may have been carried out.
        """
        script = self.script(name)
        pipeline = self.client.pipeline(transaction=False)
        pipeline.script_load(script.text)
        for arguments in calls:
            pipeline.evalsha(script.sha, 0, *arguments)
        try:
            replies = pipeline.execute(raise_on_error=False)[1:]
        except UNAVAILABLE as error:
            raise unavailable(error) from error
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise explain(script, reply) from reply
        return replies

    def read(self, ask: Callable[["redis.Redis"], Any]) -> Any:
        """Ask Redis something; what goes wrong is raised as the errors of this package."""
        with own_errors():
            return ask(self.client)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def time(self) -> float:
        """Return what the clock of Redis says, in seconds since the epoch."""
        seconds, micros = self.read(lambda client: client.time())
        return float(seconds + micros / MICROSECONDS)

    def counts(self) -> dict[str, int]:
        """Return the number of jobs accepted and in each state, and of attempts `retried`, `throttled`, `reclaimed`."""
        return read_counts(self.read(lambda client: client.hgetall(self.key("counts"))))

    def global_state(self) -> GlobalState:
        """Return what stops all lanes, if anything does."""
        fields = self.read(lambda client: client.hgetall(self.key("global_state")))
        return GlobalState.parse(fields, self.time())

    def count_due(self, max_count: int, limits: DefaultLimits, unservable: str = "") -> DueJobs:
        """Count what could be sent now, up to `max_count`, and tell when to ask again.

        With the name of a worker in `unservable`, the locations that it cannot serve do not count (see `Consumer`).
        """
        burst = "" if limits.burst is None else limits.burst
        return transitions.count_due(self._run("count_due", max_count, burst, unservable))

    def lanes(self, location_ids: Iterable[str] | None = None) -> list[Lane]:
        """Return every lane in numbers, in the order of the location ids; or these, as far as there are such lanes."""
        known = {name.decode() for name in self.read(lambda client: client.smembers(self.key("locations")))}
        names = sorted(known if location_ids is None else known.intersection(location_ids))
        lanes: list[Lane] = []
        for start in range(0, len(names), LANES_IN_A_CALL):
            lanes += self.read_lanes(names[start : start + LANES_IN_A_CALL])
        return lanes

    def read_lanes(self, location_ids: Sequence[str]) -> list[Lane]:
        """Return lanes in numbers, in the order asked for; of a location that never had a job, an empty one."""
        replies = self._run("read_lanes", *location_ids)
        return [Lane.parse(name, reply) for name, reply in zip(location_ids, replies, strict=True)]

    def queue_position(self, job_id: str) -> QueuePosition | None:
        """Tell where a job stands and what it waits for; None when there is none (any more)."""
        return QueuePosition.parse(self._run("queue_position", job_id))

    def lane_jobs(self, location_id: str, *, ready: int = 0, delayed: int = 0, max_count: int = 25) -> LaneJobs:
        """Return at most so many jobs of each place of a lane, those of `ready` and `delayed` from these positions on."""
        return LaneJobs.parse(self._run("lane_jobs", location_id, ready, delayed, max_count))

    def merged_jobs(self, job_id: str, max_count: int) -> MergedJobs:
        """Return how many jobs were merged into this one, and the ids of at most so many, any of them."""
        name = self.key("merged_jobs", job_id)
        total = self.read(lambda client: client.scard(name))
        some = self.read(lambda client: client.srandmember(name, max_count)) if total else []
        return MergedJobs(total, tuple(sorted(each.decode() for each in some)))

    def merged_job_ids(self, job_id: str) -> list[str]:
        """Return the ids of the jobs that were merged into this one."""
        found = self.read(lambda client: client.smembers(self.key("merged_jobs", job_id)))
        return sorted(merged_id.decode() for merged_id in found)

    def job(self, job_id: str) -> Job | None:
        """Return a job with its body and attempts, or None when there is none (any more)."""
        return self.jobs([job_id])[0]

    def jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        """Return jobs in the order asked for, those that were merged with what became of their carriers."""
        jobs = self.read_jobs(job_ids)
        carriers = merge_targets(jobs)
        return (
            with_merge_outcomes(jobs, dict(zip(carriers, self.read_jobs(carriers), strict=True))) if carriers else jobs
        )

    def read_jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        """Return jobs as they stand, in the order asked for; None for one that is not there (any more)."""
        return transitions.jobs(job_ids, self._run("read_jobs", *job_ids))

    def summarize(self, job_ids: Sequence[str]) -> list[DeadLetterSummary | None]:
        """Return dead letters in short, in the order asked for; None for what is none (any more)."""
        reply = self._run("summarize", *job_ids)
        return [DeadLetterSummary.parse(job_id, values) for job_id, values in zip(job_ids, reply, strict=True)]
