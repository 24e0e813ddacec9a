"""The lanes in memory, held against the real ones: the same calls on both, and the same to be seen."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanes.queue.connecting import connect
from lanes.queue.job import Job
from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport
from lanes.settings import ProducerSettings
from producers import IdempotencyConflictError, InvalidJobError, OpportunityProducer, Receipt
from producers.testing import Dead, Delivered, RecordingProducer
from tests.producers.conftest import CONSUMER

FAR = datetime.now(UTC) + timedelta(days=1)
Call = tuple[str, Any]

BODIES = st.fixed_dictionaries(
    {"contactId": st.sampled_from(["a", "b"])},
    optional={"name": st.sampled_from(["x", 'y"}', ""]), "status": st.sampled_from(["open", "won", "opened"])},
)
V3_BODIES = st.fixed_dictionaries(
    {
        "pipelineId": st.sampled_from(["p1", "p2"]),
        "followers": st.sampled_from([[], ["u"]]),
        "isRemoveAllFollowers": st.just(value=False),
        "followersActionType": st.just("add"),
        "id": st.sampled_from(["o1", "o1", "o1", None]),
    },
    optional={"name": st.sampled_from(["x", "y"])},
)
OPTIONS = st.fixed_dictionaries(
    {"merge": st.booleans()},
    optional={
        "priority": st.integers(0, 2),
        "idempotency_key": st.sampled_from(["k1", "k2", None, None]),
        "not_before": st.sampled_from([FAR, None, None, None]),
        "expires_at": st.sampled_from([FAR + timedelta(hours=1), None]),
    },
)


def calls(bodies: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[Call]]:
    return st.lists(
        st.tuples(st.just("enqueue"), st.tuples(bodies, OPTIONS))
        | st.tuples(st.just("cancel"), st.integers(0, 7))
        | st.tuples(st.just("send"), st.sampled_from([Delivered("opp", new=False), Dead("no such user", 422, "CODE")])),
        min_size=8,
        max_size=25,
    )


class Pair:
    """Both producers; the jobs of each by the number of the call that made them."""

    def __init__(self, redis_url: str, **more: Any) -> None:
        self.store = LaneStore(connect(redis_url))
        self.store.client.flushall()
        self.real = OpportunityProducer(self.store, ProducerSettings(redis_url=redis_url, **more))
        self.memory = RecordingProducer(ProducerSettings(redis_url=redis_url, **more))
        self.ids: list[tuple[str, str]] = []

    def enqueue(self, given_: tuple[dict[str, Any], dict[str, Any]]) -> None:
        body, options = given_
        row = {"pipelineId": "p", "locationId": "loc", **body}
        answers = [self._answer(producer, row, options) for producer in (self.real, self.memory)]
        real, memory = answers
        assert type(real) is type(memory)
        if isinstance(real, Receipt) and isinstance(memory, Receipt):
            assert real.duplicate == memory.duplicate
            if not real.duplicate:
                self.ids.append((real.job_id, memory.job_id))
            assert (real.job_id, memory.job_id) in self.ids
        elif isinstance(real, InvalidJobError) and isinstance(memory, InvalidJobError):
            assert real.field_errors == memory.field_errors

    @staticmethod
    def _answer(producer: OpportunityProducer, row: dict[str, Any], options: dict[str, Any]) -> object:
        try:
            return producer.enqueue(row, **options)
        except (InvalidJobError, IdempotencyConflictError) as error:
            return error

    def cancel(self, number: int) -> None:
        if number < len(self.ids):
            real, memory = self.ids[number]
            assert self.real.cancel(real) == self.memory.cancel(memory)

    def send(self, ending: Delivered | Dead) -> None:
        released = self.store.release(CONSUMER).next
        due = self.memory._lanes.due()
        if not isinstance(released, Released):
            assert due == []
            return
        assert (released.id, due[0].id) in self.ids
        self.memory.finish(due[0].id, ending)
        if isinstance(ending, Delivered):
            detail = '{"status":200,"opportunity_id":"opp","new":false,"seconds":0.0}'
            self.store.deliver(AttemptReport(released.id, released.attempt, detail, CONSUMER.limits), retention=60)
        else:
            detail = '{"status":422,"message":"no such user","code":"CODE","seconds":0.0}'
            self.store.bury(AttemptReport(released.id, released.attempt, detail, CONSUMER.limits), reason="refused")

    def compare(self) -> None:
        real_jobs = [self.real.status(real) for real, _ in self.ids]
        memory_jobs = [self.memory.status(memory) for _, memory in self.ids]
        to_memory = dict(self.ids)
        assert [self.seen(job, to_memory) for job in real_jobs] == [self.seen(job, {}) for job in memory_jobs]
        assert self.memory.jobs == memory_jobs

    @staticmethod
    def seen(job: Job, names: dict[str, str]) -> dict[str, Any]:
        """Return what a service sees of a job, except ids and times."""
        shown = job.as_json()
        times = ("accepted_at", "ended_at", "started_at")
        attempts = [{name: value for name, value in one.items() if name not in times} for one in shown["attempts"]]
        shown |= {"id": names.get(job.id, job.id), "attempts": attempts, "ended_at": job.ended_at is not None}
        shown["merged_into"] = job.merged_into and names.get(job.merged_into, job.merged_into)
        shown |= {"message": job.message, "code": job.code}
        del shown["accepted_at"]
        return shown


QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@QUICK
@given(steps=calls(BODIES))
def test_as_the_real_one(redis_url: str, steps: list[Call]) -> None:
    run(Pair(redis_url, service="billing"), steps)


@QUICK
@given(steps=calls(V3_BODIES))
def test_as_the_real_one_in_version_v3(redis_url: str, steps: list[Call]) -> None:
    run(Pair(redis_url, api_version="v3", merge=True), steps)


def run(pair: Pair, steps: list[Call]) -> None:
    for name, argument in steps:
        getattr(pair, name)(argument)
        pair.compare()
    pair.real.close()
