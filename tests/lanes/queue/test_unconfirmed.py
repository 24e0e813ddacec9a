"""Attempts in doubt, which the API may have taken: which jobs are sent again, and which must not be."""

import json
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.job import Job, Reason, State
from lanes.queue.new_job import NewJob
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport, RateLimitInfo, RetryPolicy
from tests.lanes.breaker.outage_steps import BREAKER_POLICY, begin_outage
from tests.lanes.conftest import LIMITS, ClockedStore, Orders, make_consumer
from tests.lanes.whole_state import KNOWN, report, send, watch

LAST = RetryPolicy(max_attempts=0, max_age=10**6)
RETRY_POLICY = RetryPolicy(max_attempts=2, max_age=10**6)
FOLLOWERS = {"followers": [], "isRemoveAllFollowers": False, "followersActionType": "add"}


def job_of(store: ClockedStore, job_id: str = "job1") -> Job:
    job = store.job(job_id)
    assert job is not None
    return job


def v3(body: bytes | None = None, version: str = "v3", **fields: Any) -> NewJob:
    raw = json.dumps({"pipelineId": "p", "locationId": "loc", **FOLLOWERS, **fields}, separators=(",", ":")).encode()
    return NewJob("job1", "loc", "p//x", raw if body is None else body, version=version)


def release(store: ClockedStore, worker: str = "w1") -> Released:
    job = store.release(make_consumer(worker)).next
    assert isinstance(job, Released)
    return job


def report_of(job: Released, answered: RateLimitInfo | None = None) -> AttemptReport:
    return AttemptReport(job.id, job.attempt, "{}", LIMITS, answered)


def test_an_unconfirmed_attempt_is_written_down_as_that_and_tried_again(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    job = send(store)
    with watch(store) as changed:
        assert store.retry(report(job), delay=9, reason=Reason.UNCONFIRMED).code == "retried"
    assert changed["attempts:job1"] == '1 unconfirmed t+0 t+0 {"status":200}'
    assert changed["delayed:loc.job1"] == "t+9"
    assert changed["job:job1.failures"] == "1"


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (Reason.UNCONFIRMED, Reason.UNCONFIRMED),
        (Reason.EXHAUSTED, Reason.UNCONFIRMED),
        (Reason.UNCONFIRMED, Reason.EXHAUSTED),
    ],
)
def test_the_last_attempt_says_why_a_job_is_dead(
    store: ClockedStore, order: Orders, first: Reason, last: Reason
) -> None:
    store.enqueue(order(), KNOWN)
    assert store.retry(report_of(release(store)), delay=0, retry_policy=RETRY_POLICY, reason=first).code == "retried"
    assert store.retry(report_of(release(store)), delay=0, retry_policy=RETRY_POLICY, reason=last).code == "buried"
    job = job_of(store)
    assert (job.state, job.reason) == (State.DEAD, last)
    outcomes = {Reason.UNCONFIRMED: "unconfirmed", Reason.EXHAUSTED: "retry"}
    assert [attempt.outcome for attempt in job.attempts] == [outcomes[first], outcomes[last]]
    assert store.client.hget(store.key("totals"), f"dead:{last}") == b"1"
    assert list(check_consistency(store)) == []


@pytest.mark.parametrize("stand", ["by itself", "outage", "failing lane"])
def test_a_job_that_must_not_be_repeated_is_dead_at_once_even_in_an_outage(
    store: ClockedStore, order: Orders, stand: str
) -> None:
    if stand == "outage":
        begin_outage(store, order)
        store.pass_time(1)
    if stand == "failing lane":
        for _ in range(BREAKER_POLICY.failures):
            store.enqueue(order(record=f"pipe/{order.made}"), KNOWN)
            store.retry(report_of(release(store)), delay=10**6, outage=BREAKER_POLICY)
            store.pass_time(60)
    store.enqueue(order(), KNOWN)
    job = release(store)
    result = store.retry(report_of(job), delay=1, outage=BREAKER_POLICY, retry_policy=LAST, reason=Reason.UNCONFIRMED)
    assert result.code == "buried"
    dead = job_of(store, job.id)
    assert (dead.state, dead.reason, dead.attempts[-1].outcome) == (State.DEAD, "unconfirmed", "unconfirmed")
    assert list(check_consistency(store)) == []


@pytest.mark.parametrize("told_again", [False, True])
def test_an_attempt_that_ended_without_a_report_is_not_repeated_if_that_could_make_two(
    store: ClockedStore, told_again: bool
) -> None:
    store.enqueue(v3(), KNOWN)
    job = release(store)
    store.pass_time(31)
    [lost] = store.reclaim(10, 12)
    assert (lost.id, lost.buried) == ("job1", True)
    dead = job_of(store)
    assert (dead.state, dead.reason, dead.failures) == (State.DEAD, "unconfirmed", 1)
    assert [attempt.outcome for attempt in dead.attempts] == ["lost"]
    assert store.reclaim(10, 12) == []
    assert list(check_consistency(store)) == []
    if told_again:
        assert store.retry(report_of(job), delay=0, reason=Reason.UNCONFIRMED).code == "stale"
        assert job_of(store).state is State.DEAD
    assert store.deliver(report_of(job), retention=3600).code == "delivered"
    delivered = job_of(store)
    assert (delivered.state, delivered.reason) == (State.DELIVERED, None)
    assert list(check_consistency(store)) == []


@pytest.mark.parametrize(
    ("made", "dies"),
    [
        (v3(), True),
        (v3(id=None), True),
        (v3(id=7), True),
        (v3(name='"id":"opp"'), True),
        (v3(custom={"id": "opp"}), True),
        (v3(b"not json"), True),
        (v3(b"[]"), True),
        (v3(id="opp"), False),
        (v3(b' { "name" : "x", "id" : "opp" } '), False),
        (v3(version="2021-07-28"), False),
        (v3(version="v9"), False),
    ],
)
def test_which_jobs_must_not_be_repeated(store: ClockedStore, made: NewJob, dies: bool) -> None:
    store.enqueue(made, KNOWN)
    release(store)
    store.pass_time(31)
    assert [lost.buried for lost in store.reclaim(10, 12)] == [dies]
    assert store.counts()["dead"] == int(dies)


def test_with_the_setting_all_of_them_are_repeated(store: ClockedStore) -> None:
    store.enqueue(v3(), KNOWN)
    release(store)
    store.pass_time(31)
    assert [lost.buried for lost in store.reclaim(10, 12, repeat_unnamed=True)] == [False]
    assert release(store).attempt == 2


def test_a_job_that_must_not_be_repeated_lets_its_record_go_on(store: ClockedStore) -> None:
    made = v3()
    store.enqueue(made, KNOWN)
    store.enqueue(NewJob("job2", "loc", made.record, made.body, version="v3"), KNOWN)
    release(store)
    store.pass_time(31)
    store.reclaim(10, 12)
    assert release(store).id == "job2"
    assert list(check_consistency(store)) == []
