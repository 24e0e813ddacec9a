"""Reads lanes, jobs and counts from Redis, and runs scripts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import redis
from redis.exceptions import NoScriptError, ResponseError

from lanes.queue import transitions
from lanes.queue.dead_letter_summary import DeadLetterSummary
from lanes.queue.global_state import GlobalState
from lanes.queue.job import Job
from lanes.queue.lane import Lane, read_counts
from lanes.queue.lane_jobs import LaneJobs, MergedJobs
from lanes.queue.rejected_task import RejectedTask, task_of_row
from lanes.queue.results import DueJobs
from lanes.queue.transitions import DefaultLimits
from lanes.queue.waiting import QueuePosition
from lanes.storage.keys import DEFAULT_PREFIX, build
from lanes.storage.redis_errors import UNAVAILABLE, explain, own_errors, unavailable
from lanes.storage.scripts import Argument, Script, load
from lanes.storage.stored import MICROSECONDS
from lanes.storage.usable import add_questions, check_usable

LANES_IN_A_CALL = 100


def merge_targets(jobs: Sequence[Job | None]) -> list[str]:
    """Return the ids of the jobs that these were merged into, each once."""
    return sorted({job.merged_into for job in jobs if job and job.merged_into})


def with_merge_outcomes(jobs: Sequence[Job | None], targets: Mapping[str, Job | None]) -> list[Job | None]:
    """Return the jobs; a merged one has the outcome of its merge target, if that still exists."""
    return [
        job.with_outcome_of(target) if job and (target := targets.get(job.merged_into or "")) else job for job in jobs
    ]


class LaneReader:
    """Reads the state of the lanes. Thread-safe.

    Errors: `RedisUnavailableError` if Redis cannot be reached, `ScriptError` if a script fails.
    """

    def __init__(self, client: "redis.Redis", prefix: str = DEFAULT_PREFIX, *, test_clock: bool = False) -> None:
        self.prefix = prefix
        self._client = client
        self._checked = False
        self._test_clock = test_clock

    @property
    def client(self) -> "redis.Redis":
        """The connection to Redis. The first use checks the server and the layout of the data."""
        if not self._checked:
            self.check_usable()
        return self._client

    def check_usable(self) -> None:
        """Check that this version can work with the server and its data.

        Raises:
            RedisUnavailableError: it cannot, or Redis cannot be reached.
        """
        with own_errors():
            pipeline = self._client.pipeline(transaction=False)
            add_questions(pipeline, self.key("schema"))
            check_usable(*pipeline.execute(raise_on_error=False))
        self._checked = True

    def key(self, name: str, *values: str) -> str:
        """Return the key called `name` of this store."""
        return build(self.prefix, name, *values)

    def script(self, name: str) -> Script:
        """Return a script for the keys of this store."""
        return load(name, self.prefix, test_clock=self._test_clock)

    def run(self, name: str, *arguments: Argument) -> Any:
        """Run a script and return its reply."""
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

    def run_text(self, name: str, *arguments: Argument) -> str:
        """Run a script that returns text."""
        return cast("bytes", self.run(name, *arguments)).decode()

    def run_many(self, name: str, calls: Iterable[Sequence[Argument]]) -> list[Any]:
        """Run a script many times in one round trip. Each call is atomic.

        Raises:
            ScriptError, RedisUnavailableError: a call failed; others may have been executed.
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
        """Call the client; its errors are raised as those of this package."""
        with own_errors():
            return ask(self.client)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def time(self) -> float:
        """Return the time of Redis in seconds since the epoch."""
        seconds, micros = self.read(lambda client: client.time())
        return float(seconds + micros / MICROSECONDS)

    def counts(self) -> dict[str, int]:
        """Return the number of jobs accepted and in each state, and of attempts `retried`, `throttled`, `reclaimed`."""
        return read_counts(self.read(lambda client: client.hgetall(self.key("counts"))))

    def global_state(self) -> GlobalState:
        """Return what stops all lanes."""
        fields = self.read(lambda client: client.hgetall(self.key("global_state")))
        return GlobalState.parse(fields, self.time())

    def count_due(self, max_count: int, limits: DefaultLimits, unservable: str = "") -> DueJobs:
        """Count the jobs that could be sent now, up to `max_count`, without locations that the worker cannot serve.

        `unservable` is as in `Consumer`.
        """
        due, wait = self.run("count_due", max_count, "" if limits.burst is None else limits.burst, unservable)
        return DueJobs(due, transitions.seconds_until(wait))

    def lanes(self, location_ids: Iterable[str] | None = None) -> list[Lane]:
        """Return every lane, or those of these locations that exist, sorted by location id."""
        known = {name.decode() for name in self.read(lambda client: client.smembers(self.key("locations")))}
        names = sorted(known if location_ids is None else known.intersection(location_ids))
        lanes: list[Lane] = []
        for start in range(0, len(names), LANES_IN_A_CALL):
            lanes += self.read_lanes(names[start : start + LANES_IN_A_CALL])
        return lanes

    def read_lanes(self, location_ids: Sequence[str]) -> list[Lane]:
        """Return lanes in the given order; a location that never had a job has an empty one."""
        replies = self.run("read_lanes", *location_ids)
        return [Lane.parse(name, reply) for name, reply in zip(location_ids, replies, strict=True)]

    def queue_position(self, job_id: str) -> QueuePosition | None:
        """Return where a job is and what it waits for; None for an unknown job."""
        return QueuePosition.parse(self.run("queue_position", job_id))

    def lane_jobs(self, location_id: str, *, ready: int = 0, delayed: int = 0, max_count: int = 25) -> LaneJobs:
        """Return at most `max_count` jobs of each state of a lane, from the positions `ready` and `delayed` on."""
        return LaneJobs.parse(self.run("lane_jobs", location_id, ready, delayed, max_count))

    def merged_jobs(self, job_id: str, max_count: int) -> MergedJobs:
        """Return how many jobs were merged into this one, and at most `max_count` ids of them."""
        name = self.key("merged_jobs", job_id)
        total = self.read(lambda client: client.scard(name))
        some = self.read(lambda client: client.srandmember(name, max_count)) if total else []
        return MergedJobs(total, tuple(sorted(each.decode() for each in some)))

    def merged_job_ids(self, job_id: str) -> list[str]:
        """Return the ids of the jobs that were merged into this one."""
        found = self.read(lambda client: client.smembers(self.key("merged_jobs", job_id)))
        return sorted(merged_id.decode() for merged_id in found)

    def job(self, job_id: str) -> Job | None:
        """Return a job with its body and attempts, or None if it does not exist."""
        return self.jobs([job_id])[0]

    def jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        """Return jobs in the given order; merged ones have the outcome of their merge targets."""
        jobs = self.read_jobs(job_ids)
        targets = merge_targets(jobs)
        return with_merge_outcomes(jobs, dict(zip(targets, self.read_jobs(targets), strict=True))) if targets else jobs

    def rejected_task(self, job_id: str) -> RejectedTask | None:
        """Return what the enqueue task of this id refused, or only its row N for the id TASK-N; None if unknown."""
        if (found := self._read_rejected_task(job_id)) is not None or (row := task_of_row(job_id)) is None:
            return found
        found = self._read_rejected_task(row[0])
        refused = () if found is None else tuple(each for each in found.refused if each.row == row[1])
        return replace(found, refused=refused) if found and refused else None

    def _read_rejected_task(self, task_id: str) -> RejectedTask | None:
        stored = self.read(lambda client: client.hgetall(self.key("rejected_task", task_id)))
        return RejectedTask.parse(task_id, stored)

    def read_jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        """Return jobs as they are stored, in the given order; None for one that does not exist."""
        return transitions.jobs(job_ids, self.run("read_jobs", *job_ids))

    def summarize(self, job_ids: Sequence[str]) -> list[DeadLetterSummary | None]:
        """Return summaries in the given order; None for a job that is no dead letter."""
        reply = self.run("summarize", *job_ids)
        return [DeadLetterSummary.parse(job_id, values) for job_id, values in zip(job_ids, reply, strict=True)]
