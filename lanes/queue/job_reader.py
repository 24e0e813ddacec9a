"""Reads jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lanes.queue import transitions
from lanes.queue.dead_letter_summary import DeadLetterSummary
from lanes.queue.job import Job
from lanes.queue.lane_jobs import LaneJobs, MergedJobs
from lanes.queue.lane_reader import LaneReader
from lanes.queue.rejected_task import RejectedTask, task_of_row
from lanes.queue.results import DueJobs, HistorySize
from lanes.queue.transitions import DefaultLimits
from lanes.queue.waiting import QueuePosition
from lanes.storage.access import readable
from lanes.storage.stored import MICROSECONDS, Note, text_of


def merge_targets(jobs: Sequence[Job | None]) -> list[str]:
    """Return the ids of the jobs that these were merged into, each once."""
    return sorted({job.merged_into for job in jobs if job and job.merged_into})


def with_merge_outcomes(jobs: Sequence[Job | None], targets: Mapping[str, Job | None]) -> list[Job | None]:
    """Return the jobs; a merged one has the outcome of its merge target, if that still exists."""
    return [
        job.with_outcome_of(target) if job and (target := targets.get(job.merged_into or "")) else job for job in jobs
    ]


class JobReader(LaneReader):
    """Reads jobs, and the state of the lanes. Thread-safe. Errors are those of `RedisAccess`."""

    def count_due(self, max_count: int, limits: DefaultLimits, unservable: str = "") -> DueJobs:
        """Count the jobs that could be sent now, up to `max_count`, without locations that the worker cannot serve.

        `unservable` is as in `Consumer`.
        """
        due, wait = self.run("count_due", max_count, "" if limits.burst is None else limits.burst, unservable)
        return DueJobs(due, transitions.seconds_until(wait))

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

    def read_history(self) -> HistorySize:
        """Return how many done jobs can be read, what they take, and how far back they go."""
        jobs, size, oldest, forgotten = self.run_reader("read_history")
        return HistorySize(jobs, size, oldest / MICROSECONDS if oldest else None, forgotten)

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
        reply = readable(self.run("read_jobs", *job_ids), self.prefix, note)
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
