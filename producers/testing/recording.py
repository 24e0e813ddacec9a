"""Producers that record: the real ones, with lanes in memory behind them."""

from collections.abc import Sequence
from typing import Any, Self

from lanes.queue.enqueueing import DEFAULT_DURABILITY_POLICY, DurabilityPolicy
from lanes.queue.job import Job
from lanes.queue.new_job import EnqueueResult, NewJob
from lanes.settings import ProducerSettings
from producers.async_producer import AsyncOpportunityProducer
from producers.errors import WaitTimeoutError
from producers.producer import OpportunityProducer
from producers.testing.ending import Ending
from producers.testing.memory import MemoryLanes


class _Recorded:
    """What a test asks a recording producer, and tells it."""

    _lanes: MemoryLanes
    _rules: list[tuple[Ending, dict[str, Any]]]

    @property
    def jobs(self) -> list[Job]:
        """Every job that was accepted, in order, with its state; a body is gone once the job is delivered."""
        return self._lanes.jobs()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The body that each accepted job was given, in order, as it would be sent by itself."""
        return self._lanes.bodies()

    def ends(self, ending: Ending, **fields: object) -> None:
        """Say how jobs end, those to come too; with fields of the body (`contactId="c1"`), those that have them.

        What is said last goes before what was said earlier. Jobs end in `run`, or when they are waited for.
        """
        self._rules.append((ending, fields))

    def finish(self, job_id: str, ending: Ending) -> None:
        """End this job now.

        Raises:
            ValueError: it is not pending, or there is no such job.
        """
        self._lanes.finish(job_id, ending)

    def run(self) -> list[Job]:
        """End every job that is due, as `ends` said, in the order of a worker; return them as they are then.

        A job of which nothing was said stays pending, and those behind it of the same opportunity too.
        """
        done: list[str] = []
        waiting: set[tuple[str, str]] = set()
        for job in self._lanes.due():
            ending, record = self._ending_of(job), (job.location_id, job.record)
            if ending is None or record in waiting:
                waiting.add(record)
            else:
                self._lanes.finish(job.id, ending)
                done.append(job.id)
        return [job for job in map(self._lanes.job, done) if job is not None]

    def pass_time(self, seconds: float) -> None:
        """Let time pass at once: jobs fall due, or expire."""
        self._lanes.pass_time(seconds)

    def _ending_of(self, job: Job) -> Ending | None:
        body = job.body or {}
        for ending, fields in self._rules[::-1]:
            if all(body.get(name) == value for name, value in fields.items()):
                return ending
        return None

    def _require_final(self, job: Job, timeout: float) -> Job:
        """Return the job if it is done, at once: nothing that could still happen happens by waiting."""
        if not job.state.final:
            raise WaitTimeoutError(job, timeout)
        return job


class RecordingProducer(_Recorded, OpportunityProducer):
    """An `OpportunityProducer` that needs no Redis: for the tests of a service.

    What it takes and refuses, and every receipt, report and error, comes from the code of the real one. Time is not
    waited for: `wait` runs what is due and raises `WaitTimeoutError` at once if the job is not done by that.

    Args:
        settings: by default those of an empty environment.
    """

    def __init__(self, settings: ProducerSettings | None = None) -> None:
        self._lanes, self._rules = MemoryLanes(), []
        super().__init__(self._lanes, settings or ProducerSettings())

    @classmethod
    def _of(cls, settings: ProducerSettings) -> Self:
        return cls(settings)

    def wait(self, job_id: str, timeout: float) -> Job:
        """Run what is due, and return the job if it is done by that."""
        self.run()
        return self._require_final(self.status(job_id), timeout)


class AsyncRecordingProducer(_Recorded, AsyncOpportunityProducer):
    """`RecordingProducer` for services that run an event loop: the same, with the methods of a producer awaitable."""

    def __init__(self, settings: ProducerSettings | None = None) -> None:
        self._lanes, self._rules = MemoryLanes(), []
        super().__init__(_AwaitableLanes(self._lanes), settings or ProducerSettings())

    @classmethod
    def from_settings(cls, settings: ProducerSettings | None = None) -> Self:
        """See `OpportunityProducer.from_settings`; its Redis is not asked for."""
        return cls(settings or ProducerSettings.load())

    async def wait(self, job_id: str, timeout: float) -> Job:  # noqa: ASYNC109 - the same signature as the other face
        """Run what is due, and return the job if it is done by that."""
        self.run()
        return self._require_final(await self.status(job_id), timeout)


class _AwaitableLanes:
    """Lanes in memory, to be awaited."""

    def __init__(self, lanes: MemoryLanes) -> None:
        self._lanes = lanes

    async def enqueue(
        self,
        new_job: NewJob,
        idempotency_seconds: float,
        durability_policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
    ) -> EnqueueResult:
        return self._lanes.enqueue(new_job, idempotency_seconds, durability_policy)

    async def enqueue_many(
        self,
        new_jobs: Sequence[NewJob],
        idempotency_seconds: float,
        durability_policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
    ) -> list[EnqueueResult | Exception]:
        return self._lanes.enqueue_many(new_jobs, idempotency_seconds, durability_policy)

    async def cancel(self, job_id: str, retention: float) -> str:
        return self._lanes.cancel(job_id, retention)

    async def job(self, job_id: str) -> Job | None:
        return self._lanes.job(job_id)

    async def close(self) -> None:
        """There is nothing to give back."""
