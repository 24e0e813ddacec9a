"""A quota of the recording producers refuses what the real lanes refuse."""

import asyncio
from typing import Any

import pytest

from lanes.queue.store import LaneStore
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.settings import ProducerSettings
from producers import EnqueueReport, OpportunityProducer, QuotaError
from producers.testing import AsyncRecordingProducer, Delivered, RecordingProducer
from tests.producers.conftest import OK

ROWS: list[dict[str, Any]] = [
    {**OK, "contactId": "a", "_options": {"idempotency_key": "k"}},
    {**OK, "contactId": "b"},
    {**OK, "contactId": "a", "_options": {"idempotency_key": "k"}},
    {**OK, "contactId": "c"},
    {**OK, "contactId": "d", "_options": {"service": "web"}},
    {**OK, "contactId": "a", "_options": {"idempotency_key": "k"}},
]


def told(report: EnqueueReport) -> tuple[object, ...]:
    return report.accepted, report.duplicates, [(row.row, str(row.over_quota)) for row in report.refused]


def test_a_quota_refuses_the_same_rows_as_the_lanes(store: LaneStore, redis_url: str) -> None:
    settings = ProducerSettings(redis_url=redis_url, service="crm")
    ServiceStore(store).add(Service("crm", max_pending=2))
    recording, asynchronous = RecordingProducer(settings), AsyncRecordingProducer(settings)
    recording.set_max_pending(2)
    asynchronous.set_max_pending(2)
    with OpportunityProducer.from_settings(settings) as real:
        expected = told(real.enqueue_many(ROWS))
    assert told(recording.enqueue_many(ROWS)) == expected
    assert told(asyncio.run(asynchronous.enqueue_many(ROWS))) == expected
    assert expected[:2] == (2, 2)
    assert [row for row, _ in expected[2]] == [4, 5]  # type: ignore[attr-defined]
    with pytest.raises(QuotaError, match="service crm is over its quota max_pending=2"):
        recording.enqueue(ROWS[3])


def test_a_quota_is_free_again_when_jobs_end_or_it_is_removed() -> None:
    recording = RecordingProducer(ProducerSettings(service="crm"))
    recording.set_max_pending(0)
    with pytest.raises(QuotaError):
        recording.enqueue(OK)
    recording.set_max_pending(1)
    recording.enqueue(OK)
    recording.ends(Delivered())
    recording.run()
    recording.enqueue(OK)
    recording.set_max_pending(None)
    assert recording.enqueue(OK).duplicate is False
