"""One upsert, from a service's side: enqueued, looked at, waited for, taken back. Each case on both producers."""

import json
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport
from lanes.settings import ProducerSettings
from producers import (
    IdempotencyConflictError,
    InvalidJobError,
    ProducerError,
    Receipt,
    State,
    UnknownJobError,
    UpsertOpportunity,
    WaitTimeoutError,
)
from tests.helpers import until
from tests.producers.conftest import CONSUMER, OK, MakeProducer, Producer, deliver, release

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=2)
KEY = {"idempotency_key": "order-4711"}


def test_a_job_is_in_its_lane_when_enqueue_returns(producer: Producer, store: LaneStore) -> None:
    receipt = producer.enqueue({**OK, "name": "Zoë", "monetaryValue": 12.0})
    assert receipt == Receipt(receipt.job_id, "loc", duplicate=False)
    job = producer.status(receipt.job_id)
    assert (job.id, job.location_id, job.record) == (receipt.job_id, "loc", "pipe/contact")
    assert (job.state, job.attempt, job.attempts, job.reason) == (State.PENDING, 0, (), None)
    assert job.body == {**OK, "name": "Zoë", "monetaryValue": 12}
    assert job == store.job(receipt.job_id)
    assert store.counts()["accepted"] == store.counts()["pending"] == 1


def test_a_worker_gets_the_bytes_of_the_model(producer: Producer, store: LaneStore) -> None:
    model = UpsertOpportunity(pipeline_id="p", location_id="l", contact_id="c", name="n", monetary_value=0.1)
    assert release(store, producer.enqueue(model).job_id).body == model.to_json()


def test_the_options_stay_with_the_job(redis_url: str, make_producer: MakeProducer) -> None:
    producer = make_producer(ProducerSettings(redis_url=redis_url, service="billing"))
    late = producer.enqueue(OK, not_before=NOON, expires_at=NOON + timedelta(hours=1))
    job = producer.status(late.job_id)
    assert (job.not_before, job.expires_at) == (NOON.timestamp(), NOON.timestamp() + 3600)
    assert job.service == "billing"
    own = producer.enqueue({**OK, "_options": {"service": "own"}}, service="beside")
    assert producer.status(own.job_id).service == "own"


def test_what_is_not_due_is_not_released(producer: Producer, store: LaneStore) -> None:
    producer.enqueue(OK, not_before=NOON)
    due = producer.enqueue({**OK, "contactId": "other"}, not_before=datetime(2020, 1, 1, tzinfo=UTC))
    release(store, due.job_id)


def test_a_wrong_body_or_option_is_reported_and_nothing_is_enqueued(producer: Producer, store: LaneStore) -> None:
    with pytest.raises(InvalidJobError) as caught:
        producer.enqueue({**OK, "status": "opened"}, servic="x")
    assert [problem.field for problem in caught.value.field_errors] == ["status", "_options.servic"]
    assert store.counts()["accepted"] == 0


def test_jobs_of_a_record_are_released_in_the_order_of_their_enqueues(producer: Producer, store: LaneStore) -> None:
    for job_id in [producer.enqueue({**OK, "name": name}).job_id for name in "abc"]:
        deliver(store, job_id)


def test_the_same_key_and_body_is_the_same_job(producer: Producer, store: LaneStore) -> None:
    first = producer.enqueue({**OK, "monetaryValue": 12}, **KEY)
    again = producer.enqueue({"monetary_value": 12.0, **OK}, service="other", **KEY)
    assert again == Receipt(first.job_id, "loc", duplicate=True)
    assert not first.duplicate
    deliver(store, first.job_id)
    assert producer.enqueue({**OK, "monetaryValue": 12, "_options": KEY}) == again
    assert store.counts()["accepted"] == 1


def test_the_same_key_and_another_body_is_a_conflict_that_names_the_job(producer: Producer, store: LaneStore) -> None:
    first = producer.enqueue(OK, **KEY)
    with pytest.raises(IdempotencyConflictError, match=f"'order-4711' .* by job {first.job_id}") as caught:
        producer.enqueue({**OK, "name": "n"}, **KEY)
    assert (caught.value.key, caught.value.job_id) == ("order-4711", first.job_id)
    assert store.counts()["accepted"] == 1


def test_a_key_belongs_to_its_location(producer: Producer) -> None:
    here, there = (producer.enqueue({**OK, "locationId": location}, **KEY) for location in ("here", "there"))
    assert (here.location_id, there.location_id) == ("here", "there")
    assert here.job_id != there.job_id
    assert not there.duplicate


def test_without_a_key_each_enqueue_is_a_job(producer: Producer, store: LaneStore) -> None:
    assert producer.enqueue(OK).job_id != producer.enqueue(OK).job_id
    assert store.counts()["accepted"] == 2


def test_a_key_expires_after_its_idempotency_ttl(redis_url: str, make_producer: MakeProducer, store: LaneStore) -> None:
    producer = make_producer(ProducerSettings(redis_url=redis_url, idempotency_seconds=0.05))
    first = producer.enqueue(OK, **KEY)
    key = store.key("idempotency", "loc", "order-4711")
    until(lambda: not store.client.exists(key), "the key forgotten")
    second = producer.enqueue({**OK, "name": "n"}, **KEY)
    assert not second.duplicate
    assert second.job_id != first.job_id
    assert list(check_consistency(store)) == []


def test_scripts_that_redis_forgot_are_sent_again(producer: Producer, store: LaneStore) -> None:
    for _ in range(2):
        assert store.client.script_flush()
        job_id = producer.enqueue(OK).job_id
        assert store.client.script_flush()
        assert producer.cancel(job_id)
        assert store.client.script_flush()
        assert producer.enqueue_many([OK]).accepted == 1
    assert store.counts()["accepted"] == 4


def test_status_follows_the_job(producer: Producer, store: LaneStore) -> None:
    job_id = producer.enqueue(OK).job_id
    attempt = release(store, job_id).attempt
    assert producer.status(job_id).state is State.IN_FLIGHT
    store.retry(AttemptReport(job_id, attempt, '{"status":502}', CONSUMER.limits), delay=0)
    waiting = producer.status(job_id)
    assert (waiting.state, waiting.failures, waiting.attempts[0].outcome) == (State.PENDING, 1, "retry")
    deliver(store, job_id)
    done = producer.status(job_id)
    assert (done.state, done.opportunity_id, done.new, done.body) == (State.DELIVERED, "opp", True, None)
    assert [attempt.number for attempt in done.attempts] == [1, 2]


def test_a_dead_letter_keeps_its_body_and_says_why(producer: Producer, store: LaneStore) -> None:
    job_id = producer.enqueue(OK).job_id
    attempt = release(store, job_id).attempt
    store.bury(
        AttemptReport(job_id, attempt, '{"status":422,"message":["name is bad"]}', CONSUMER.limits), reason="refused"
    )
    job = producer.wait(job_id, 0)
    assert (job.state, job.reason, job.body) == (State.DEAD, "refused", OK)
    assert job.attempts[0].detail["message"] == ["name is bad"]
    json.dumps(job.as_json())


@pytest.mark.parametrize("job_id", ["", "0" * 32, "a b", "*", "Ä", "x" * 10_000], ids=lambda job_id: job_id[:10])
def test_an_unknown_job_is_an_error_that_names_it(producer: Producer, job_id: str) -> None:
    for ask in (producer.status, producer.cancel, lambda job_id: producer.wait(job_id, 30)):
        with pytest.raises(UnknownJobError) as caught:
            ask(job_id)
        assert caught.value.job_id == job_id
        assert isinstance(caught.value, ProducerError)


@pytest.mark.parametrize("job_id", [7, uuid.UUID(int=7), b"7"], ids=str)
def test_an_id_is_text(producer: Producer, job_id: object) -> None:
    with pytest.raises(InvalidJobError, match=r"^job_id: must be text of 1 to 128 letters, .*7"):
        producer.enqueue(OK, job_id=job_id)


def test_a_level_of_durability_is_text(producer: Producer) -> None:
    with pytest.raises(InvalidJobError, match=r"^durability: must be accepted, fsync or .* \(it is 1\)$"):
        producer.enqueue(OK, durability=1)


def test_a_pending_job_can_be_cancelled_once_or_twice(producer: Producer, store: LaneStore) -> None:
    job_id = producer.enqueue(OK).job_id
    assert producer.cancel(job_id)
    assert producer.cancel(job_id)
    job = producer.status(job_id)
    assert (job.state, job.body) == (State.CANCELLED, None)
    assert store.counts()["cancelled"] == 1
    assert producer.wait(job_id, 0) == job
    deliver(store, producer.enqueue(OK).job_id)


def test_it_is_too_late_to_cancel_what_is_in_flight_or_done(producer: Producer, store: LaneStore) -> None:
    job_id = producer.enqueue(OK).job_id
    attempt = release(store, job_id).attempt
    assert not producer.cancel(job_id)
    assert producer.status(job_id).state is State.IN_FLIGHT
    store.deliver(AttemptReport(job_id, attempt, "{}", CONSUMER.limits), retention=3600)
    assert not producer.cancel(job_id)
    assert producer.status(job_id).state is State.DELIVERED


def test_wait_returns_when_a_worker_has_delivered_the_job(producer: Producer, store: LaneStore) -> None:
    job_id = producer.enqueue(OK).job_id
    asked = commands(store)

    def work() -> None:
        until(lambda: commands(store) > asked, "the producer to have looked once")
        deliver(store, job_id)

    worker = threading.Thread(target=work)
    worker.start()
    job = producer.wait(job_id, 60)
    worker.join()
    assert (job.state, job.opportunity_id) == (State.DELIVERED, "opp")


def commands(store: LaneStore) -> int:
    """Return how many commands Redis has run for others than this question."""
    found = store.client.info("commandstats")
    return sum(stats["calls"] for name, stats in found.items() if name != "cmdstat_info")


@pytest.mark.parametrize("timeout", [0, 0.05, -1, float("nan")])
@pytest.mark.parametrize("state", [State.PENDING, State.IN_FLIGHT])
def test_wait_gives_up_and_the_job_goes_on(producer: Producer, store: LaneStore, timeout: float, state: State) -> None:
    job_id = producer.enqueue(OK).job_id
    if state is State.IN_FLIGHT:
        release(store, job_id)
    with pytest.raises(WaitTimeoutError, match=f"job {job_id} is still {state} after {timeout:g} s; it continues"):
        producer.wait(job_id, timeout)
    assert producer.status(job_id).state is state
