"""The states of the accepted jobs, also of those that Redis no longer has."""

from collections.abc import Sequence

from lanes.queue.job import Job, State
from lanes.queue.store import LaneStore
from tests.chaos.journal import AcceptedJob

STEP = 500  # jobs that are read at once
FORGOTTEN_STATES = frozenset({State.DELIVERED, State.CANCELLED, State.MERGED})


class JobStates:
    """What is known of jobs besides what Redis has.

    `emptied_at`: when Redis was emptied last (monotonic seconds). `before`: the state of each job that it had then.
    `forgotten`: how many done jobs had given way to new ones by then. `done`: jobs as they were before memory was full.
    """

    def __init__(self) -> None:
        self.emptied_at = 0.0
        self.before: dict[str, State] = {}
        self.forgotten = 0
        self.done: dict[str, Job] = {}

    def read(self, store: LaneStore, ids: Sequence[str]) -> dict[str, Job]:
        """Read jobs by their ids; those that gave way to new ones are as they were before."""
        found: dict[str, Job] = {}
        for start in range(0, len(ids), STEP):
            found |= {job.id: job for job in store.read_jobs(ids[start : start + STEP]) if job is not None}
        missing = {job_id: job for job_id in ids if job_id not in found and (job := self.done.get(job_id))}
        forgotten = sum(job.state is not State.MERGED for job in missing.values())  # merged ones go uncounted
        return found | missing if forgotten <= store.read_history().forgotten else found

    def before_memory_is_full(self, store: LaneStore, ids: Sequence[str]) -> None:
        """Read the jobs that are done by now: while memory is full, they are forgotten before their time."""
        self.done |= {job_id: job for job_id, job in self.read(store, ids).items() if job.state in FORGOTTEN_STATES}

    def before_it_is_emptied(self, store: LaneStore, accepted_jobs: Sequence[AcceptedJob]) -> list[str]:
        """Record the state of each accepted job before Redis is emptied; return a line for each that is missing."""
        recent = [one for one in accepted_jobs if one.asked_at >= self.emptied_at]
        found = self.read(store, [one.job_id for one in recent])
        self.forgotten += store.read_history().forgotten
        self.before |= {job.id: job.state for job in found.values()}
        lost = [one for one in recent if one.job_id not in found]
        return [f"lost: job {one.job_id} ({one.uid}) was accepted and does not exist" for one in lost]

    def emptied(self, at: float) -> None:
        """Redis is up again with nothing."""
        self.emptied_at = at
        self.done.clear()
