"""The public API as a service uses it: mypy checks this file; nothing runs it.

A line with an `ignore` is a mistake that must stay one: mypy tells when it no longer is.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any, assert_type

from lanes.settings import WorkerSettings
from producers import (
    ApiVersion,
    AsyncOpportunityProducer,
    AsyncProducer,
    AsyncReceivedOutcome,
    EnqueueInterruptedError,
    EnqueueReport,
    FieldError,
    InvalidJobError,
    Job,
    OpportunityProducer,
    Outcome,
    OutcomePage,
    Producer,
    Receipt,
    ReceivedOutcome,
    RejectedRow,
    State,
    UpsertOpportunity,
    UpsertOpportunityV3,
    WaitTimeoutError,
)
from producers.testing import AsyncRecordingProducer, Dead, Delivered, RecordingProducer

MODEL = UpsertOpportunity(pipeline_id="p", location_id="l", contact_id="c", status="won", monetary_value=12)
ROW = {"pipelineId": "p", "locationId": "l", "contactId": "c", "monetaryValue": 12.5}


V3 = UpsertOpportunityV3(
    id="o",
    pipeline_id="p",
    location_id="l",
    followers=["u"],
    is_remove_all_followers=False,
    followers_action_type="add",
    forecast_probability=20,
)


def rows() -> Iterator[UpsertOpportunity | dict[str, Any]]:
    yield MODEL
    yield ROW


async def later() -> AsyncIterator[UpsertOpportunity]:
    yield MODEL


def note(so_far: EnqueueReport) -> None:
    assert_type(so_far.rows, int)


def threads(settings: WorkerSettings) -> None:
    assert_type(OpportunityProducer.from_url("redis://localhost"), OpportunityProducer)
    with OpportunityProducer.from_settings(settings) as producer:
        receipt = producer.enqueue(MODEL, idempotency_key="k", not_before=datetime.now(UTC))
        assert_type(receipt, Receipt)
        assert_type(receipt.duplicate, bool)
        assert_type(producer.enqueue(ROW).job_id, str)
        report = producer.enqueue_many(rows(), service="s", progress=note)
        assert_type(report.refused, list[RejectedRow])
        job = producer.wait(receipt.job_id, timeout=1)
        assert_type(job, Job)
        assert_type(job.state, State)
        assert_type(job.opportunity_id, str | None)
        assert_type(job.message, str | None)
        assert_type(producer.enqueue(V3), Receipt)
        assert_type(producer.cancel(job.id), bool)
        for outcome in producer.outcomes("group", wait=1):
            assert_type(outcome, ReceivedOutcome)
            assert_type(outcome.state, State)
            assert_type(outcome.opportunity_id, str | None)
            outcome.ack()
        assert_type(producer.read_outcomes(after="1-0", wait=1).outcomes, tuple[Outcome, ...])
        producer.enqueue("text")  # type: ignore[arg-type]
        producer.enqueue(ROW, priorty=5)  # type: ignore[call-arg]
        producer.enqueue_many([ROW], priority="high")  # type: ignore[arg-type]
        producer.enqueue_many(later())  # type: ignore[arg-type]
        producer.wait(receipt.job_id)  # type: ignore[call-arg]
        receipt.job_id = "other"  # type: ignore[misc]
    UpsertOpportunity(pipeline_id="p", location_id="l", contact_id="c", status="opened")  # type: ignore[arg-type]


async def tasks() -> None:
    async with AsyncOpportunityProducer.from_settings() as producer:
        assert_type(producer, AsyncOpportunityProducer)
        assert_type(await producer.enqueue(MODEL), Receipt)
        assert_type(await producer.enqueue_many(rows()), EnqueueReport)
        assert_type(await producer.enqueue_many(later()), EnqueueReport)
        assert_type(await producer.status("job"), Job)
        async for outcome in producer.outcomes("group"):
            assert_type(outcome, AsyncReceivedOutcome)
            await outcome.ack()
        assert_type(await producer.read_outcomes(), OutcomePage)


def versions() -> None:
    assert_type(WorkerSettings(api_version=ApiVersion.V3).version_of("l"), ApiVersion)
    UpsertOpportunityV3(followers="u")  # type: ignore[arg-type]


def any_producer(producer: Producer) -> None:
    assert_type(producer.enqueue(MODEL, event_time=datetime.now(UTC), merge=True).job_id, str)
    producer.enqueue(MODEL, marge=True)  # type: ignore[call-arg]


async def any_async_producer(producer: AsyncProducer) -> None:
    assert_type(await producer.wait("job", 1), Job)


async def test_kit(real: OpportunityProducer, real_async: AsyncOpportunityProducer) -> None:
    recording, later_ = RecordingProducer(), AsyncRecordingProducer()
    recording.ends(Delivered("o", new=True))
    later_.ends(Dead("no", 422), contactId="c")
    for one in (real, recording):
        any_producer(one)
    for other in (real_async, later_):
        await any_async_producer(other)
    any_producer(later_)  # type: ignore[arg-type]
    recording.ends("delivered")  # type: ignore[arg-type]


def timed_out(caught: WaitTimeoutError) -> None:
    assert_type(caught.job, Job)


def errors(caught: InvalidJobError | EnqueueInterruptedError) -> None:
    if isinstance(caught, InvalidJobError):
        assert_type(caught.field_errors, tuple[FieldError, ...])
    else:
        assert_type(caught.report, EnqueueReport)
