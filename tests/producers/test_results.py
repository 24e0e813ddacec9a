"""What a service learns about a finished job: the opportunity, or the error. Each case on both producers."""

import json

import pytest

from lanes.queue.job import State
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport, Consumer
from producers import (
    DurabilityError,
    EnqueueFailedError,
    EnqueueInterruptedError,
    IdempotencyConflictError,
    InvalidJobError,
    LanesError,
    ProducerError,
    QuotaError,
    RedisUnavailableError,
    SettingsError,
    UnknownJobError,
    WaitTimeoutError,
)
from tests.producers.conftest import CONSUMER, OK, Producer, deliver, release

OTHER_SEAT = Consumer("other", lease=60, retention=3600, limits=CONSUMER.limits)


def detail(**fields: object) -> str:
    return json.dumps(fields)


def test_a_delivery_returns_the_opportunity_and_whether_it_is_new(producer: Producer, store: LaneStore) -> None:
    job_id = producer.enqueue(OK).job_id
    deliver(store, job_id, detail(status=201, opportunity_id="opp", new=True))
    job = producer.wait(job_id, 0)
    assert (job.state, job.opportunity_id, job.new) == (State.DELIVERED, "opp", True)
    assert (job.message, job.code, job.warning) == (None, None, None)


def test_a_delivery_without_the_promised_body_has_a_warning(producer: Producer, store: LaneStore) -> None:
    job_id = producer.enqueue(OK).job_id
    deliver(store, job_id, detail(status=200, warning="no body"))
    job = producer.status(job_id)
    assert (job.opportunity_id, job.new, job.warning) == (None, None, "no body")
    assert job.as_json()["warning"] == "no body"


def test_a_dead_letter_returns_the_message_and_the_code_of_the_api(producer: Producer, store: LaneStore) -> None:
    job_id = producer.enqueue(OK).job_id
    report = AttemptReport(
        job_id, release(store, job_id).attempt, detail(status=400, message="m", code="C"), CONSUMER.limits
    )
    store.bury(report, reason="refused")
    job = producer.wait(job_id, 0)
    assert (job.state, job.reason, job.message, job.code) == (State.DEAD, "refused", "m", "C")
    assert (job.opportunity_id, job.new, job.warning) == (None, None, None)


def test_a_merged_job_returns_the_result_of_its_merge_target(producer: Producer, store: LaneStore) -> None:
    first = producer.enqueue(OK).job_id
    second = producer.enqueue({**OK, "name": "n"}, merge=True).job_id
    deliver(store, first)
    job = producer.wait(second, 0)
    assert (job.state, job.merged_into, job.opportunity_id, job.new) == (State.DELIVERED, first, "opp", True)


@pytest.mark.parametrize("late", ["retry", "delivered"])
def test_the_outcome_of_a_later_attempt_changes_nothing(producer: Producer, store: LaneStore, late: str) -> None:
    """The first attempt was given up for lost, a second went out, and then the first reports its success."""
    job_id = producer.enqueue(OK).job_id
    release(store, job_id)
    store.client.zadd(store.key("leases"), {job_id: 0})
    assert store.reclaim(10, 12)[0].id == job_id
    assert getattr(store.release(OTHER_SEAT).next, "attempt", None) == 2
    store.deliver(AttemptReport(job_id, 1, detail(opportunity_id="opp", new=True), CONSUMER.limits), retention=3600)
    second = AttemptReport(job_id, 2, detail(status=500, message="late", new=False), CONSUMER.limits)
    code = store.retry(second, delay=0).code if late == "retry" else store.deliver(second, retention=3600).code
    assert code == "stale"
    job = producer.status(job_id)
    assert [attempt.number for attempt in job.attempts] == [1, 1, 2]
    assert (job.state, job.opportunity_id, job.new, job.message) == (State.DELIVERED, "opp", True, None)


def test_a_wait_that_times_out_returns_the_state_of_the_job(producer: Producer, store: LaneStore) -> None:
    job_id = producer.enqueue(OK).job_id
    report = AttemptReport(
        job_id, release(store, job_id).attempt, detail(status=502, message="bad gateway"), CONSUMER.limits
    )
    store.retry(report, delay=3600)
    with pytest.raises(WaitTimeoutError) as caught:
        producer.wait(job_id, 0)
    assert (caught.value.job.state, caught.value.job.message) == (State.PENDING, "bad gateway")
    assert caught.value.job == producer.status(job_id)


def test_the_errors_are_one_tree_and_each_is_documented() -> None:
    away = (EnqueueFailedError, EnqueueInterruptedError)
    own = (
        *away,
        DurabilityError,
        IdempotencyConflictError,
        InvalidJobError,
        QuotaError,
        UnknownJobError,
        WaitTimeoutError,
    )
    assert set(ProducerError.__subclasses__()) == set(own)
    assert all(issubclass(error, RedisUnavailableError) for error in away)
    for error in (*own, ProducerError, RedisUnavailableError, SettingsError):
        assert issubclass(error, LanesError)
        assert error.__doc__
