"""Recording producers: the real ones on lanes in memory."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Self

from lanes.outcomes.outcome import Outcome
from lanes.outcomes.stream import OutcomePage
from lanes.queue.enqueueing import DurabilityPolicy
from lanes.queue.job import Job
from lanes.queue.new_job import EnqueueResult, NewJob
from lanes.settings import ProducerSettings
from lanes.storage.stored import as_plain
from producers.async_producer import AsyncOpportunityProducer
from producers.errors import WaitTimeoutError
from producers.outcomes import CLAIM_SECONDS, AsyncReceivedOutcome, ReceivedOutcome
from producers.producer import OpportunityProducer
from producers.testing.ending import Ending
from producers.testing.memory import MemoryLanes
from producers.testing.outcomes import ended, page_of


class _Recorded:
    """The methods of both recording producers for tests."""

    _lanes: MemoryLanes
    _rules: list[tuple[Ending, dict[str, Any]]]
    _settings: ProducerSettings
    _acknowledged: dict[str, set[str]]

    def _unacknowledged(self, group: str, service: str | None) -> list[Outcome]:
        known = self._acknowledged.setdefault(group, set())
        return [each for each in ended(self._lanes.jobs(), self._settings, service) if each.job_id not in known]

    def _page(self, service: str | None, after: str | None, count: int) -> OutcomePage:
        return page_of(ended(self._lanes.jobs(), self._settings, service), after, count)

    @property
    def jobs(self) -> list[Job]:
        """The accepted jobs, in order, with their states. A delivered job has no body."""
        return self._lanes.jobs()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The body of each accepted job, in order, as it would be sent alone."""
        return self._lanes.bodies()

    def ends(self, ending: Ending, **fields: object) -> None:
        """Set how jobs end, future ones too; with fields of the body (`contactId="c1"`), only matching jobs.

        A later rule overrides earlier ones. Jobs end in `run` and `wait`.
        """
        self._rules.append((ending, fields))

    def finish(self, job_id: str, ending: Ending) -> None:
        """End this job now.

        Raises:
            ValueError: the job is not pending or does not exist.
        """
        self._lanes.finish(job_id, ending)

    def run(self) -> list[Job]:
        """End every due job by the rules of `ends`, in the order of a worker; return these jobs.

        A job without a rule stays pending and blocks later jobs of its opportunity.
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

    def set_max_pending(self, limit: int | None) -> None:
        """Give each service this quota: rows beyond so many pending jobs get a `QuotaError`. None is no quota."""
        self._lanes.max_pending = limit

    def pass_time(self, seconds: float) -> None:
        """Advance the clock: jobs become due or expire."""
        self._lanes.pass_time(seconds)

    def _ending_of(self, job: Job) -> Ending | None:
        body = job.body or {}
        for ending, fields in self._rules[::-1]:
            if all(body.get(name) == value for name, value in fields.items()):
                return ending
        return None

    def _require_final(self, job: Job, timeout: float) -> Job:
        if not job.state.final:
            raise WaitTimeoutError(job, timeout)
        return job


class RecordingProducer(_Recorded, OpportunityProducer):
    """An `OpportunityProducer` without Redis, for the tests of a service.

    It validates and answers with the code of the real producer. `wait` does not wait: it runs due jobs, and raises
    `WaitTimeoutError` at once if the job is not finished then. `settings`: by default those of an empty environment.
    """

    def __init__(self, settings: ProducerSettings | None = None) -> None:
        self._lanes, self._rules, self._acknowledged = MemoryLanes(), [], {}
        super().__init__(self._lanes, settings or ProducerSettings())

    @classmethod
    def _of(cls, settings: ProducerSettings) -> Self:
        return cls(settings)

    def outcomes(
        self, group: str, *, service: str | None = None, wait: float | None = None, claim_seconds: float = CLAIM_SECONDS
    ) -> Iterator[ReceivedOutcome]:
        """Yield the outcomes that the group has not acknowledged, each once, and end: nothing is waited for."""
        del wait, claim_seconds
        for outcome in self._unacknowledged(group, service):
            ack = partial(self._acknowledged[group].add, outcome.job_id)
            yield ReceivedOutcome(**as_plain(outcome), _ack=ack)

    def read_outcomes(
        self, service: str | None = None, after: str | None = None, count: int = 100, wait: float = 0.0
    ) -> OutcomePage:
        """See `OpportunityProducer.read_outcomes`; nothing is waited for."""
        del wait
        return self._page(service, after, count)

    def wait(self, job_id: str, timeout: float) -> Job:
        """Run due jobs, and return the job if it is finished."""
        self.run()
        return self._require_final(self.status(job_id), timeout)


class AsyncRecordingProducer(_Recorded, AsyncOpportunityProducer):
    """`RecordingProducer` for services with an event loop: the methods of a producer are awaitable."""

    def __init__(self, settings: ProducerSettings | None = None) -> None:
        self._lanes, self._rules, self._acknowledged = MemoryLanes(), [], {}
        super().__init__(_AwaitableLanes(self._lanes), settings or ProducerSettings())

    @classmethod
    def from_settings(cls, settings: ProducerSettings | None = None) -> Self:
        """See `OpportunityProducer.from_settings`; Redis is not used."""
        return cls(settings or ProducerSettings.load())

    async def outcomes(
        self, group: str, *, service: str | None = None, wait: float | None = None, claim_seconds: float = CLAIM_SECONDS
    ) -> AsyncIterator[AsyncReceivedOutcome]:
        """See `RecordingProducer.outcomes`."""
        del wait, claim_seconds
        for outcome in self._unacknowledged(group, service):

            async def ack(known: set[str] = self._acknowledged[group], job_id: str = outcome.job_id) -> None:
                known.add(job_id)

            yield AsyncReceivedOutcome(**as_plain(outcome), _ack=ack)

    async def read_outcomes(
        self, service: str | None = None, after: str | None = None, count: int = 100, wait: float = 0.0
    ) -> OutcomePage:
        """See `RecordingProducer.read_outcomes`."""
        del wait
        return self._page(service, after, count)

    async def wait(self, job_id: str, timeout: float) -> Job:  # noqa: ASYNC109 - the same signature as the other face
        """Run due jobs, and return the job if it is finished."""
        self.run()
        return self._require_final(await self.status(job_id), timeout)


class _AwaitableLanes:
    """`MemoryLanes` with awaitable methods."""

    def __init__(self, lanes: MemoryLanes) -> None:
        self._lanes = lanes

    async def enqueue(
        self, new_job: NewJob, idempotency_seconds: float, durability_policy: DurabilityPolicy
    ) -> EnqueueResult:
        return self._lanes.enqueue(new_job, idempotency_seconds, durability_policy)

    async def enqueue_calls(
        self,
        calls: Iterable[Sequence[NewJob]],
        idempotency_seconds: float,
        durability_policy: DurabilityPolicy,
        bulk: str = "",
    ) -> list[EnqueueResult | Exception]:
        return self._lanes.enqueue_calls(calls, idempotency_seconds, durability_policy, bulk)

    async def cancel(self, job_id: str, retention: float) -> str:
        return self._lanes.cancel(job_id, retention)

    async def job(self, job_id: str) -> Job | None:
        return self._lanes.job(job_id)

    async def read(self, ask: Callable[[Any], Any]) -> Any:
        return self._lanes.read(ask)

    async def info(self) -> dict[str, Any]:
        """There is no server to ask."""
        return {}

    async def close(self) -> None:
        """Nothing to close."""
