"""The protocols of producers, real ones and those of the test kit, and of the lanes that they use."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Unpack

from lanes.outcomes.stream import OutcomePage
from lanes.queue.enqueueing import DurabilityPolicy
from lanes.queue.job import Job
from lanes.queue.new_job import EnqueueResult, NewJob
from producers.model import Options
from producers.new_job import Opportunity
from producers.outcomes import CLAIM_SECONDS, AsyncReceivedOutcome, ReceivedOutcome
from producers.receipt import EnqueueReport, Receipt

Progress = Callable[[EnqueueReport], None]


class Producer(Protocol):
    """`OpportunityProducer` and `testing.RecordingProducer`."""

    def enqueue(
        self,
        opportunity: Opportunity,
        *,
        durability: str | None = None,
        job_id: str | None = None,
        **options: Unpack[Options],
    ) -> Receipt:
        """See `OpportunityProducer.enqueue`."""

    def enqueue_many(
        self,
        opportunities: Iterable[Opportunity],
        *,
        progress: Progress | None = None,
        durability: str | None = None,
        **options: Unpack[Options],
    ) -> EnqueueReport:
        """See `OpportunityProducer.enqueue_many`."""

    def status(self, job_id: str) -> Job:
        """See `OpportunityProducer.status`."""

    def cancel(self, job_id: str) -> bool:
        """See `OpportunityProducer.cancel`."""

    def wait(self, job_id: str, timeout: float) -> Job:
        """See `OpportunityProducer.wait`."""

    def outcomes(
        self, group: str, *, service: str | None = None, wait: float | None = None, claim_seconds: float = CLAIM_SECONDS
    ) -> Iterator[ReceivedOutcome]:
        """See `OpportunityProducer.outcomes`."""

    def read_outcomes(
        self, service: str | None = None, after: str | None = None, count: int = 100, wait: float = 0.0
    ) -> OutcomePage:
        """See `OpportunityProducer.read_outcomes`."""

    def close(self) -> None:
        """See `OpportunityProducer.close`."""


class AsyncProducer(Protocol):
    """`AsyncOpportunityProducer` and `testing.AsyncRecordingProducer`."""

    async def enqueue(
        self,
        opportunity: Opportunity,
        *,
        durability: str | None = None,
        job_id: str | None = None,
        **options: Unpack[Options],
    ) -> Receipt:
        """See `OpportunityProducer.enqueue`."""

    async def enqueue_many(
        self,
        opportunities: Iterable[Opportunity] | AsyncIterable[Opportunity],
        *,
        durability: str | None = None,
        **options: Unpack[Options],
    ) -> EnqueueReport:
        """See `AsyncOpportunityProducer.enqueue_many`."""

    async def status(self, job_id: str) -> Job:
        """See `OpportunityProducer.status`."""

    async def cancel(self, job_id: str) -> bool:
        """See `OpportunityProducer.cancel`."""

    async def wait(self, job_id: str, timeout: float) -> Job:  # noqa: ASYNC109 - the signature of the other face
        """See `OpportunityProducer.wait`."""

    def outcomes(
        self, group: str, *, service: str | None = None, wait: float | None = None, claim_seconds: float = CLAIM_SECONDS
    ) -> AsyncIterator[AsyncReceivedOutcome]:
        """See `AsyncOpportunityProducer.outcomes`."""

    async def read_outcomes(
        self, service: str | None = None, after: str | None = None, count: int = 100, wait: float = 0.0
    ) -> OutcomePage:
        """See `OpportunityProducer.read_outcomes`."""

    async def close(self) -> None:
        """See `OpportunityProducer.close`."""


class Store(Protocol):
    """The methods of `LaneStore` that a producer uses."""

    def enqueue(
        self, new_job: NewJob, idempotency_seconds: float, durability_policy: DurabilityPolicy
    ) -> EnqueueResult:
        """See `LaneStore.enqueue`."""

    def enqueue_calls(
        self,
        calls: Iterable[Sequence[NewJob]],
        idempotency_seconds: float,
        durability_policy: DurabilityPolicy,
        bulk: str = "",
    ) -> list[EnqueueResult | Exception]:
        """See `LaneStore.enqueue_calls`."""

    def cancel(self, job_id: str, retention: float) -> str:
        """See `LaneStore.cancel`."""

    def job(self, job_id: str) -> Job | None:
        """See `LaneStore.job`."""

    def read(self, ask: Callable[[Any], Any]) -> Any:
        """See `LaneStore.read`."""

    def info(self) -> Mapping[str, Any]:
        """See `LaneStore.info`."""

    def close(self) -> None:
        """Close the connections."""


class AsyncStore(Protocol):
    """The methods of `AsyncLaneStore` that a producer uses."""

    async def enqueue(
        self, new_job: NewJob, idempotency_seconds: float, durability_policy: DurabilityPolicy
    ) -> EnqueueResult:
        """See `LaneStore.enqueue`."""

    async def enqueue_calls(
        self,
        calls: Iterable[Sequence[NewJob]],
        idempotency_seconds: float,
        durability_policy: DurabilityPolicy,
        bulk: str = "",
    ) -> list[EnqueueResult | Exception]:
        """See `LaneStore.enqueue_calls`."""

    async def cancel(self, job_id: str, retention: float) -> str:
        """See `LaneStore.cancel`."""

    async def job(self, job_id: str) -> Job | None:
        """See `LaneStore.job`."""

    async def read(self, ask: Callable[[Any], Any]) -> Any:
        """See `LaneStore.read`."""

    async def info(self) -> Mapping[str, Any]:
        """See `LaneStore.info`."""

    async def close(self) -> None:
        """Close the connections."""
