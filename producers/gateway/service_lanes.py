"""The lanes as one service sees them: its own jobs and its own idempotency keys, as if there were no others."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from lanes.queue.async_store import AsyncLaneStore
from lanes.queue.enqueueing import DurabilityPolicy
from lanes.queue.job import Job
from lanes.queue.new_job import EnqueueResult, NewJob
from producers.new_job import MAX_JOB_ID, check_job_id, new_id

SEPARATOR = "\x1f"  # in no name of a service and no key; and no white space, which ends a key for the script


def job_id_of(service: str, job_id: str | None) -> str:
    """Return the id of a job of a service: a new one for None. No other service gets the same one.

    What does not begin with the service's prefix, gets it. So the id of an answer stays as it is.

    Raises:
        InvalidJobError: `job_id` is no id of a job.
    """
    prefix = _prefix(service)
    if job_id is None:
        return prefix + new_id()
    added = "" if job_id.startswith(prefix) else prefix
    check_job_id(job_id, MAX_JOB_ID - len(added))
    return added + job_id


def ids_of(service: str, job_id: str) -> Sequence[str]:
    """Return the ids of the jobs that a caller may mean: this one, or the one whose id it chose."""
    prefix = _prefix(service)
    return [job_id] if job_id.startswith(prefix) else [job_id, prefix + job_id]


@lru_cache(1024)
def _prefix(service: str) -> str:
    """Return what the ids of a service's jobs begin with: short, since Redis has several copies of an id."""
    return urlsafe_b64encode(sha256(service.encode()).digest()[:3]).decode() + "."


class ServiceLanes:
    """An `AsyncStore` of one service. A job of another service is unknown to it."""

    def __init__(self, lanes: AsyncLaneStore, service: str) -> None:
        self._lanes = lanes
        self._service = service

    def _scoped(self, new_job: NewJob) -> NewJob:
        """Return the job with an idempotency key that no other service, and no user of the library, can have."""
        if new_job.idempotency_key is None:
            return new_job
        return replace(new_job, idempotency_key=f"{self._service}{SEPARATOR}{new_job.idempotency_key}")

    async def enqueue(
        self, new_job: NewJob, idempotency_seconds: float, durability_policy: DurabilityPolicy
    ) -> EnqueueResult:
        """See `LaneStore.enqueue`."""
        return await self._lanes.enqueue(self._scoped(new_job), idempotency_seconds, durability_policy)

    async def enqueue_calls(
        self,
        calls: Iterable[Sequence[NewJob]],
        idempotency_seconds: float,
        durability_policy: DurabilityPolicy,
        bulk: str = "",
    ) -> list[EnqueueResult | Exception]:
        """See `LaneStore.enqueue_calls`."""
        scoped = (list(map(self._scoped, new_jobs)) for new_jobs in calls)
        return await self._lanes.enqueue_calls(scoped, idempotency_seconds, durability_policy, bulk)

    async def job(self, job_id: str) -> Job | None:
        """Return a job of the service by its id, or by the id that the caller chose; None for any other."""
        for each in ids_of(self._service, job_id):
            job = await self._lanes.job(each)
            if job is not None and job.service == self._service:
                return job
        return None

    async def cancel(self, job_id: str, retention: float) -> str:
        """See `LaneStore.cancel`."""
        job = await self.job(job_id)
        return "unknown" if job is None else await self._lanes.cancel(job.id, retention)

    async def read(self, ask: Callable[[Any], Any]) -> Any:
        """See `LaneStore.read`; the producer asks for the outcomes of its service only."""
        return await self._lanes.read(ask)

    async def info(self) -> Mapping[str, Any]:
        """See `LaneStore.info`."""
        return await self._lanes.info()

    async def close(self) -> None:
        """Leave the connections open: other services share them."""
