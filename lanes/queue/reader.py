"""Reads lanes, jobs and counts from Redis, and runs scripts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import redis
from redis.exceptions import NoScriptError, ResponseError

from lanes.errors import RedisUnavailableError, ScriptError
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
from lanes.storage.redis_errors import (
    UNAVAILABLE,
    WRONG_TYPE,
    explain,
    is_wrong_type,
    own_errors,
    refuses,
    unavailable,
)
from lanes.storage.scripts import Argument, Script, load
from lanes.storage.stored import MICROSECONDS, Note, bytes_of, ignore, text_of
from lanes.storage.usable import add_questions, check_usable

LANES_IN_A_CALL = 100
T = TypeVar("T")


def merge_targets(jobs: Sequence[Job | None]) -> list[str]:
    """Return the ids of the jobs that these were merged into, each once."""
    return sorted({job.merged_into for job in jobs if job and job.merged_into})


def with_merge_outcomes(jobs: Sequence[Job | None], targets: Mapping[str, Job | None]) -> list[Job | None]:
    """Return the jobs; a merged one has the outcome of its merge target, if that still exists."""
    return [
        job.with_outcome_of(target) if job and (target := targets.get(job.merged_into or "")) else job for job in jobs
    ]


def _encoded(arguments: Sequence[Argument]) -> list[Argument]:
    return [bytes_of(each) if isinstance(each, str) else each for each in arguments]


class LaneReader:
    """Reads the state of the lanes. Thread-safe.

    It takes any bytes and any Redis types: what cannot be read reads as missing, and `unreadable` is told the key and
    the problem.

    Errors: `RedisUnavailableError` if Redis cannot be reached, `ScriptError` if a script fails.
    """

    def __init__(self, client: "redis.Redis", prefix: str = DEFAULT_PREFIX, *, test_clock: bool = False) -> None:
        self.prefix = prefix
        self._client = client
        self._checked = False
        self._test_clock = test_clock
        self.unreadable: Note = ignore

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
        encoded = _encoded(arguments)
        try:
            try:
                return self.client.evalsha(script.sha, 0, *encoded)
            except NoScriptError:
                return self.client.eval(script.text, 0, *encoded)
        except UNAVAILABLE as error:
            raise unavailable(error) from error
        except ResponseError as error:
            raise explain(script, error) from error

    def run_text(self, name: str, *arguments: Argument) -> str:
        """Run a script that returns text."""
        return text_of(self.run(name, *arguments))

    def run_reader(self, name: str, *arguments: Argument) -> Any:
        """Run a script with `read_only.lua` and return its reply."""
        return transitions.readable(self.run(name, *arguments), self.prefix, self.unreadable)

    def run_many(self, name: str, calls: Iterable[Sequence[Argument]]) -> list[Any]:
        """Run a script many times in one round trip. Each call is atomic. A call that fails has its `ScriptError`.

        Raises:
            RedisUnavailableError: calls may have been executed.
        """
        script = self.script(name)
        pipeline = self.client.pipeline(transaction=False)
        pipeline.script_load(script.text)
        for arguments in calls:
            pipeline.evalsha(script.sha, 0, *_encoded(arguments))
        try:
            replies = pipeline.execute(raise_on_error=False)[1:]
        except UNAVAILABLE as error:
            raise unavailable(error) from error
        found = [explain(script, reply) if isinstance(reply, ResponseError) else reply for reply in replies]
        for each in found:
            if isinstance(each, RedisUnavailableError):
                raise each
        return found

    def read(self, ask: Callable[["redis.Redis"], Any]) -> Any:
        """Call the client; its errors are raised as those of this package."""
        with own_errors():
            return ask(self.client)

    def read_keys(self, missing: T, keys: Sequence[str], ask: Callable[[Any, bytes], object]) -> list[T]:
        """Read keys in one round trip; `ask` calls the client for one. A key of another type reads as `missing`."""

        def read(client: "redis.Redis") -> list[Any]:
            pipeline = client.pipeline(transaction=False)
            for key in keys:
                ask(pipeline, bytes_of(key))
            return pipeline.execute(raise_on_error=False)

        found: list[T] = []
        for key, reply in zip(keys, self.read(read), strict=True):
            if isinstance(reply, ResponseError):
                if not is_wrong_type(reply):
                    raise refuses(reply) or ScriptError(str(reply)) from reply
                self.unreadable(key.removeprefix(self.prefix), WRONG_TYPE)
            found.append(missing if isinstance(reply, ResponseError) else reply)
        return found

    def read_key(self, missing: T, key: str, ask: Callable[[Any, bytes], object]) -> T:
        """Read one key as `read_keys` does."""
        return self.read_keys(missing, [key], ask)[0]

    def info(self) -> dict[str, Any] | None:
        """Return the reply to INFO, None if it is renamed or not permitted."""
        with own_errors():
            try:
                return dict(self.client.info())
            except ResponseError as error:
                if refuses(error) is None:
                    raise
                return None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def time(self) -> float:
        """Return the time of Redis in seconds since the epoch."""
        seconds, micros = self.read(lambda client: client.time())
        return float(seconds + micros / MICROSECONDS)

    def counts(self) -> dict[str, int]:
        """Return the number of jobs accepted and in each state, and of attempts `retried`, `throttled`, `reclaimed`."""
        return read_counts(self.read_hash("counts"), "counts", self.unreadable)

    def global_state(self) -> GlobalState:
        """Return what stops all lanes."""
        return GlobalState.parse(self.read_hash("global_state"), self.time(), self.unreadable)

    def read_hash(self, name: str, *values: str) -> dict[bytes, bytes]:
        """Return the fields of a hash."""
        missing: dict[bytes, bytes] = {}
        return self.read_key(missing, self.key(name, *values), lambda client, key: client.hgetall(key))

    def count_due(self, max_count: int, limits: DefaultLimits, unservable: str = "") -> DueJobs:
        """Count the jobs that could be sent now, up to `max_count`, without locations that the worker cannot serve.

        `unservable` is as in `Consumer`.
        """
        due, wait = self.run("count_due", max_count, "" if limits.burst is None else limits.burst, unservable)
        return DueJobs(due, transitions.seconds_until(wait))

    def locations(self) -> set[str]:
        """Return every location that ever had a job."""
        found = self.read_key(set[bytes](), self.key("locations"), lambda client, key: client.smembers(key))
        return set(map(text_of, found))

    def is_location(self, location_id: str) -> bool:
        """Return whether a location ever had a job."""
        key = self.key("locations")
        return bool(self.read_key(0, key, lambda client, key: client.sismember(key, bytes_of(location_id))))

    def lanes(self, location_ids: Iterable[str] | None = None) -> list[Lane]:
        """Return every lane, or those of these locations that exist, sorted by location id."""
        known = self.locations()
        names = sorted(known if location_ids is None else known.intersection(location_ids))
        lanes: list[Lane] = []
        for start in range(0, len(names), LANES_IN_A_CALL):
            lanes += self.read_lanes(names[start : start + LANES_IN_A_CALL])
        return lanes

    def read_lanes(self, location_ids: Sequence[str]) -> list[Lane]:
        """Return lanes in the given order; a location that never had a job has an empty one."""
        replies = self.run_reader("read_lanes", *location_ids)
        return [Lane.parse(name, reply, self.unreadable) for name, reply in zip(location_ids, replies, strict=True)]

    def queue_position(self, job_id: str) -> QueuePosition | None:
        """Return where a job is and what it waits for; None for an unknown job."""
        return QueuePosition.parse(self.run_reader("queue_position", job_id), self.unreadable)

    def lane_jobs(self, location_id: str, *, ready: int = 0, delayed: int = 0, max_count: int = 25) -> LaneJobs:
        """Return at most `max_count` jobs of each state of a lane, from the positions `ready` and `delayed` on."""
        return LaneJobs.parse(self.run_reader("lane_jobs", location_id, ready, delayed, max_count), self.unreadable)

    def merged_jobs(self, job_id: str, max_count: int) -> MergedJobs:
        """Return how many jobs were merged into this one, and at most `max_count` ids of them."""
        key = self.key("merged_jobs", job_id)
        total = self.read_key(0, key, lambda client, key: client.scard(key))
        some = list[bytes]()
        if total:
            some = self.read_key(some, key, lambda client, key: client.srandmember(key, max_count))
        return MergedJobs(total, tuple(sorted(map(text_of, some))))

    def merged_job_ids(self, job_id: str) -> list[str]:
        """Return the ids of the jobs that were merged into this one."""
        key = self.key("merged_jobs", job_id)
        return sorted(map(text_of, self.read_key(set[bytes](), key, lambda client, key: client.smembers(key))))

    def job(self, job_id: str) -> Job | None:
        """Return a job with its body and attempts, or None if it does not exist.

        Raises:
            StoredJobError: it cannot be read.
        """
        one = transitions.OneJob(self.unreadable)
        return one.checked(self._jobs([job_id], one.note)[0])

    def jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        """Return jobs in the given order; merged ones have the outcome of their merge targets."""
        return self._jobs(job_ids, self.unreadable)

    def _jobs(self, job_ids: Sequence[str], note: Note) -> list[Job | None]:
        jobs = self._read_jobs(job_ids, note)
        targets = merge_targets(jobs)
        if not targets:
            return jobs
        found = self._read_jobs(targets, self.unreadable)
        return with_merge_outcomes(jobs, dict(zip(targets, found, strict=True)))

    def rejected_task(self, job_id: str) -> RejectedTask | None:
        """Return what the enqueue task of this id refused, or only its row N for the id TASK-N; None if unknown."""
        if (found := self._read_rejected_task(job_id)) is not None or (row := task_of_row(job_id)) is None:
            return found
        found = self._read_rejected_task(row[0])
        refused = () if found is None else tuple(each for each in found.refused if each.row == row[1])
        return replace(found, refused=refused) if found and refused else None

    def _read_rejected_task(self, task_id: str) -> RejectedTask | None:
        missing: dict[bytes, bytes] = {}
        stored = self.read_key(missing, self.key("rejected_task", task_id), lambda client, key: client.hgetall(key))
        return RejectedTask.parse(task_id, stored)

    def read_jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        """Return jobs as they are stored, in the given order; None for one that does not exist or cannot be read."""
        return self._read_jobs(job_ids, self.unreadable)

    def _read_jobs(self, job_ids: Sequence[str], note: Note) -> list[Job | None]:
        reply = transitions.readable(self.run("read_jobs", *job_ids), self.prefix, note)
        return transitions.jobs(job_ids, reply, note)

    def stored_body(self, job_id: str) -> bytes | None:
        """Return the exact bytes of the body of a job, None if it has none."""
        missing: bytes | None = None
        return self.read_key(missing, self.key("body", job_id), lambda client, key: client.get(key))

    def summarize(self, job_ids: Sequence[str]) -> list[DeadLetterSummary | None]:
        """Return summaries in the given order; None for a job that is no dead letter."""
        reply = self.run_reader("summarize", *job_ids)
        return [
            DeadLetterSummary.parse(job_id, values, self.unreadable)
            for job_id, values in zip(job_ids, reply, strict=True)
        ]
