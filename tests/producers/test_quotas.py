"""A service over a quota: the errors that a producer raises and reports. Each case on both producers."""

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.settings import ProducerSettings
from producers import InvalidJobError, LanesError, ProducerError, QuotaError
from tests.producers.conftest import CONSUMER, OK, MakeProducer, Opportunity, Producer


def test_one_row_over_a_quota_raises(producer: Producer, store: LaneStore) -> None:
    ServiceStore(store).add(Service("crm", max_pending=1))
    producer.enqueue(OK, service="crm")
    with pytest.raises(QuotaError) as caught:
        producer.enqueue(OK, service="crm")
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.service, error.quota, error.limit, error.retry_after) == ("crm", "max_pending", 1, 5.0)
    assert isinstance(error, ProducerError | LanesError)
    producer.enqueue(OK, service="other")


def test_many_rows_report_each_that_is_over_also_in_later_batches(producer: Producer, store: LaneStore) -> None:
    """A delivery between the second and the third batch changes nothing for the rows of this call."""
    ServiceStore(store).add(Service("crm", max_pending=5))

    def rows() -> Iterator[Opportunity]:
        for n in range(1200):
            if n == 1000:
                job = store.release(CONSUMER).next
                assert isinstance(job, Released)
                store.deliver(AttemptReport(job.id, job.attempt, "{}", CONSUMER.limits), retention=60)
            yield {**OK, "contactId": f"c{n}", "_options": {"service": "other" if n % 100 else "crm"}}

    report = producer.enqueue_many(rows())
    assert (report.accepted, report.last_row) == (500, 1200)
    assert [refused.row for refused in report.refused] == list(range(501, 1201))
    assert {type(refused.over_quota) for refused in report.refused} == {QuotaError}
    assert str(report.refused[0]) == (
        "row 501: _options.service: is over its quota max_pending=5: try again in 5 s (it is 'crm')"
    )
    again = "over the quota max_pending=5 of the service crm: try again in 5 s"
    assert str(report.refused[1]) == f"row 502: an earlier row is {again}"
    assert producer.enqueue_many([{**OK, "_options": {"service": "crm"}}]).accepted == 1


def test_not_before_lies_at_most_some_days_ahead(redis_url: str, make_producer: MakeProducer) -> None:
    producer = make_producer(ProducerSettings(redis_url=redis_url))
    now = datetime.now(UTC)
    producer.enqueue(OK, not_before=now + timedelta(days=29.9))
    with pytest.raises(InvalidJobError, match="not_before: must be at most 30 days ahead"):
        producer.enqueue(OK, not_before=now + timedelta(days=30.1))
    (refused,) = producer.enqueue_many([OK], not_before=now + timedelta(days=30.1)).refused
    assert refused.over_quota is None
    longer = make_producer(ProducerSettings(redis_url=redis_url, max_not_before_days=60))
    longer.enqueue(OK, not_before=now + timedelta(days=59))
