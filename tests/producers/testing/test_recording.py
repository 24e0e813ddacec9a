"""The recording producers, as the tests of a service use them. Each case on both faces."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lanes.queue.job import Reason
from lanes.settings import ProducerSettings
from producers import (
    AsyncOpportunityProducer,
    AsyncProducer,
    IdempotencyConflictError,
    InvalidJobError,
    OpportunityProducer,
    Producer,
    State,
    UnknownJobError,
    UpsertOpportunityV3,
    WaitTimeoutError,
)
from producers.testing import AsyncRecordingProducer, Dead, Delivered, RecordingProducer
from tests.producers.conftest import OK

Recording = RecordingProducer | AsyncRecordingProducer


class Face:
    """Either recording producer, its methods called and waited for."""

    def __init__(self, producer: Recording) -> None:
        self.reported = producer
        self._runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.reported, name)

        def call(*arguments: Any, **options: Any) -> Any:
            answer = method(*arguments, **options)
            return self._runner.run(answer) if asyncio.iscoroutine(answer) else answer

        return call

    def close_all(self) -> None:
        self.close()
        self._runner.close()


@pytest.fixture(params=[RecordingProducer, AsyncRecordingProducer], ids=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Iterator[Face]:
    made = Face(request.param())
    yield made
    made.close_all()


def test_it_records_what_it_is_given(face: Face) -> None:
    face.enqueue({**OK, "name": "n"}, service="billing", priority=3)
    face.enqueue({**OK, "contactId": "other"})
    assert face.reported.bodies == [{**OK, "name": "n"}, {**OK, "contactId": "other"}]
    first, second = face.reported.jobs
    assert (first.state, first.service, first.priority, first.body) == (
        State.PENDING,
        "billing",
        3,
        face.reported.bodies[0],
    )
    assert second.record == "pipe/other"


def test_it_refuses_what_the_real_one_refuses(face: Face) -> None:
    with pytest.raises(InvalidJobError, match="status: should be 'open'"):
        face.enqueue({**OK, "status": "opened"})
    with pytest.raises(UnknownJobError):
        face.status("nobody")
    with pytest.raises(UnknownJobError):
        face.cancel("nobody")
    report = face.enqueue_many([OK, {}, {**OK, "contactId": "b"}])
    assert (report.accepted, [rejected.row for rejected in report.refused]) == (2, [2])
    assert len(face.reported.jobs) == 2


def test_nothing_happens_by_itself_and_no_wait_blocks(face: Face) -> None:
    job_id = face.enqueue(OK).job_id
    with pytest.raises(WaitTimeoutError) as caught:
        face.wait(job_id, timeout=1e9)
    assert caught.value.job.state is State.PENDING
    assert face.run() == []


def test_a_job_ends_as_configured(face: Face) -> None:
    face.ends(Delivered("opp-1", new=False))
    face.ends(Dead("The pipeline id is invalid.", code="NO_PIPELINE"), pipelineId="gone")
    good, bad = face.enqueue(OK).job_id, face.enqueue({**OK, "pipelineId": "gone"}).job_id
    assert face.status(good).state is State.PENDING
    job = face.wait(bad, 0)
    assert (job.state, job.reason, job.message, job.code) == (
        *(State.DEAD, "refused"),
        *("The pipeline id is invalid.", "NO_PIPELINE"),
    )
    assert job.body == {**OK, "pipelineId": "gone"}
    job = face.status(good)
    assert (job.state, job.opportunity_id, job.new, job.body) == (State.DELIVERED, "opp-1", False, None)
    assert face.reported.bodies[0] == OK


def test_a_job_may_end_unconfirmed(face: Face) -> None:
    face.ends(Dead("HTTP 200 with an HTML page", 200, reason=Reason.UNCONFIRMED))
    job = face.wait(face.enqueue(OK).job_id, 0)
    assert (job.state, job.reason, job.message) == (State.DEAD, "unconfirmed", "HTTP 200 with an HTML page")
    assert [attempt.outcome for attempt in job.attempts] == ["unconfirmed"]


def test_the_last_configuration_counts(face: Face) -> None:
    face.ends(Dead("no"))
    face.ends(Delivered())
    face.enqueue(OK)
    [job] = face.run()
    assert (job.state, job.new) == (State.DELIVERED, True)
    assert job.opportunity_id


def test_one_job_ends_at_once_and_once(face: Face) -> None:
    job_id = face.enqueue(OK).job_id
    face.finish(job_id, Delivered("opp"))
    assert face.wait(job_id, 0).opportunity_id == "opp"
    for wrong in (job_id, "nobody"):
        with pytest.raises(ValueError, match=f"job {wrong} cannot be ended"):
            face.finish(wrong, Delivered("opp"))


def test_keys(face: Face) -> None:
    first = face.enqueue(OK, idempotency_key="k")
    assert face.enqueue(OK, idempotency_key="k").job_id == first.job_id
    with pytest.raises(IdempotencyConflictError):
        face.enqueue({**OK, "name": "n"}, idempotency_key="k")
    assert len(face.reported.jobs) == 1


def test_cancel(face: Face) -> None:
    job_id = face.enqueue(OK).job_id
    assert face.cancel(job_id)
    face.ends(Delivered())
    assert face.run() == []
    assert face.status(job_id).state is State.CANCELLED
    done = face.enqueue(OK).job_id
    face.run()
    assert not face.cancel(done)


def test_priority_goes_first_but_never_past_its_own_opportunity(face: Face) -> None:
    rows = [("a", "1", 0), ("b", "2", 0), ("b", "3", 5), ("c", "4", 1)]
    for contact, name, priority in rows:
        face.enqueue({**OK, "contactId": contact, "name": name}, priority=priority)
    order: list[str] = []
    face.ends(Delivered())
    names = {job.id: body["name"] for job, body in zip(face.reported.jobs, face.reported.bodies, strict=True)}
    order += [names[job.id] for job in face.run()]
    assert order == ["2", "3", "4", "1"]


def test_an_unconfigured_job_keeps_blocking_the_jobs_after_it(face: Face) -> None:
    face.ends(Delivered(), name="good")
    for name in ("untold", "good"):
        face.enqueue({**OK, "name": name})
    other = face.enqueue({**OK, "contactId": "other", "name": "good"}).job_id
    assert [job.id for job in face.run()] == [other]


def test_merging(face: Face) -> None:
    first = face.enqueue({**OK, "name": "a", "status": "open"}).job_id
    second = face.enqueue({**OK, "name": "b"}, merge=True).job_id
    assert face.status(first).body == {**OK, "name": "b", "status": "open"}
    assert not face.cancel(first)
    face.finish(second, Delivered("opp"))
    assert [face.status(job_id).opportunity_id for job_id in (first, second)] == ["opp", "opp"]
    assert face.status(second).merged_into == first
    assert face.reported.bodies == [{**OK, "name": "a", "status": "open"}, {**OK, "name": "b"}]


def test_an_older_event_is_merged_into_a_newer_one(face: Face) -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    first = face.enqueue({**OK, "name": "newer"}, event_time=noon).job_id
    face.enqueue({**OK, "name": "older", "status": "won"}, event_time=noon - timedelta(hours=1), merge=True)
    assert face.status(first).body == {**OK, "name": "newer", "status": "won"}


def test_time_passes_only_when_advanced(face: Face) -> None:
    now = datetime.now(UTC)
    late = face.enqueue(OK, not_before=now + timedelta(hours=1)).job_id
    short = face.enqueue({**OK, "contactId": "b"}, expires_at=now + timedelta(hours=2)).job_id
    face.ends(Delivered(), contactId="contact")
    assert face.run() == []
    face.pass_time(3 * 3600)
    assert [job.id for job in face.run()] == [late]
    assert face.wait(short, 0).state is State.EXPIRED


def test_versions_of_the_api() -> None:
    producer = RecordingProducer(ProducerSettings(api_version="v3"))
    model = UpsertOpportunityV3.model_validate(
        {
            "id": "opp",
            "pipelineId": "p",
            "locationId": "l",
            "followers": [],
            "isRemoveAllFollowers": False,
            "followersActionType": "add",
        }
    )
    job = producer.status(producer.enqueue(model).job_id)
    assert (job.version, job.record) == ("v3", "opp")
    with pytest.raises(InvalidJobError, match="contactId: no such field in API version v3"):
        producer.enqueue(OK)


def test_many_jobs_take_no_minutes() -> None:
    producer = RecordingProducer()
    producer.ends(Delivered())
    options: dict[str, Any] = {"merge": True, "priority": 1, "expires_at": datetime.now(UTC) + timedelta(hours=1)}
    report = producer.enqueue_many(({**OK, "contactId": f"c{n}"} for n in range(10_000)), **options)
    assert (report.accepted, len(producer.run())) == (10_000, 10_000)


def test_it_is_made_as_the_real_ones_are() -> None:
    for made in (
        RecordingProducer.from_url("redis://nowhere"),
        RecordingProducer.from_settings(ProducerSettings(service="s")),
        AsyncRecordingProducer.from_url("redis://nowhere"),
        AsyncRecordingProducer.from_settings(ProducerSettings(service="s")),
    ):
        assert made.jobs == []


def test_the_environment_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANES_REDIS_URL", "nowhere")
    monkeypatch.setenv("LANES_API_VERSION", "v9")
    assert RecordingProducer().enqueue(OK).location_id == "loc"


def deal_won(producer: Producer) -> str:
    return producer.enqueue({**OK, "status": "won"}).job_id


async def deal_lost(producer: AsyncProducer) -> str:
    return (await producer.enqueue({**OK, "status": "lost"})).job_id


def test_code_that_takes_any_producer_takes_each(redis_url: str) -> None:
    for producer in (RecordingProducer(), OpportunityProducer.from_url(redis_url)):
        with producer:
            assert producer.status(deal_won(producer)).body == {**OK, "status": "won"}

    async def main() -> None:
        for producer in (AsyncRecordingProducer(), AsyncOpportunityProducer.from_url(redis_url)):
            async with producer:
                assert (await producer.status(await deal_lost(producer))).body == {**OK, "status": "lost"}

    asyncio.run(main())


def test_the_same_job_id_is_the_same_job_and_a_level_is_checked() -> None:
    producer = RecordingProducer()
    row = {"pipelineId": "p", "locationId": "l", "contactId": "c"}
    receipt = producer.enqueue(row, durability="fsync")
    assert producer.enqueue(row, durability="replicas:1", job_id=receipt.job_id) == receipt
    assert len(producer.jobs) == 1
    with pytest.raises(InvalidJobError, match="durability"):
        producer.enqueue_many([row], durability="synced")
