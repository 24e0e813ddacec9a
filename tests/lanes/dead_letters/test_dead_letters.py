"""Dead letters: what a replay may overwrite, what an edit keeps, what a restore makes, and how they are read."""

import json

import pytest

from lanes.checks.consistency import check_consistency
from lanes.dead_letters import operations
from lanes.dead_letters.operations import TimeRange
from lanes.queue.dead_letter import ActionResult, DeadLetter
from lanes.queue.job import Attempt, Reason, State
from lanes.queue.new_job import NewJob
from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits, RetryPolicy
from tests.lanes.conftest import ClockedStore, Orders

LIMITS = DefaultLimits(burst=10_000, window=10, daily=10**6)
CONSUMER = Consumer("w1", 30, 3600, LIMITS)


def report(job: Released) -> AttemptReport:
    return AttemptReport(job.id, job.attempt, "{}", LIMITS)


def release(store: LaneStore) -> Released:
    job = store.release(CONSUMER).next
    assert isinstance(job, Released)
    return job


def bury(store: LaneStore, reason: str = "refused") -> str:
    job = release(store)
    store.bury(report(job), reason=reason)
    return job.id


def deliver(store: LaneStore) -> str:
    job = release(store)
    assert store.deliver(report(job), retention=3600).code == "delivered"
    return job.id


def state(store: LaneStore, job_id: str) -> State:
    job = store.job(job_id)
    assert job is not None
    return job.state


def drain(store: ClockedStore) -> list[str]:
    """Deliver all that waits; return the ids in order."""
    found = []
    while isinstance(job := store.release(CONSUMER).next, Released):
        store.deliver(report(job), retention=3600)
        found.append(job.id)
    return found


def test_an_expired_job_is_a_dead_letter_with_its_own_state(store: ClockedStore, order: Orders) -> None:
    kept, gone = order(record="a", expires_at=store.now + 5), order(record="b", expires_at=store.now + 5)
    store.enqueue_many([kept, gone], 60)
    store.pass_time(6)
    assert sorted(store.expire(10)) == sorted([kept.id, gone.id])
    assert (store.counts()["expired"], store.counts()["dead"]) == (2, 0)
    job = store.job(kept.id)
    assert job is not None
    assert (job.state, job.reason, job.body) == (State.EXPIRED, Reason.EXPIRED, {"n": 1})
    assert store.client.pttl(store.key("job", kept.id)) == -1
    assert [job.id for batch in operations.read_dead_letters(store, TimeRange(store.now)) for job in batch] == sorted(
        [kept.id, gone.id]
    )
    assert store.purge(gone.id, 3600) == "purged"
    assert store.replay(kept.id) == "replayed"
    assert drain(store) == [kept.id]
    assert {name: number for name, number in store.counts().items() if number} == {
        "accepted": 2,
        "delivered": 1,
        "cancelled": 1,
    }
    assert list(check_consistency(store)) == []


def test_a_replay_goes_before_newer_unsent_jobs(store: ClockedStore, order: Orders) -> None:
    dead_letter, other, newer, last = order(record="a"), order(record="b"), order(record="a"), order(record="c")
    store.enqueue_many([dead_letter], 60)
    bury(store)
    store.enqueue_many([other, newer, last], 60)
    assert operations.replay(store, [dead_letter.id], dry_run=True) == [ActionResult(dead_letter.id, "replayed")]
    assert state(store, dead_letter.id) is State.DEAD
    assert store.replay(dead_letter.id) == "replayed"
    assert list(check_consistency(store)) == []
    assert drain(store) == [other.id, dead_letter.id, newer.id, last.id]


@pytest.mark.parametrize("reason", [Reason.UNCONFIRMED, Reason.REFUSED])
def test_a_replay_reports_that_the_api_may_have_it(store: ClockedStore, order: Orders, reason: Reason) -> None:
    doubtful = reason is Reason.UNCONFIRMED
    dead_letter = order(record="a")
    store.enqueue(dead_letter, 60)
    bury(store, reason=reason)
    for dry_run in (True, False):
        assert operations.replay(store, [dead_letter.id], dry_run=dry_run) == [
            ActionResult(dead_letter.id, "replayed", unconfirmed=doubtful)
        ]
    bury(store, reason=reason)
    newer = order(record="a")
    store.enqueue(newer, 60)
    drain(store)
    assert operations.replay(store, [dead_letter.id]) == [
        ActionResult(dead_letter.id, "superseded", newer.id, unconfirmed=doubtful)
    ]


def test_an_urgent_newer_job_makes_the_replayed_one_urgent(store: ClockedStore, order: Orders) -> None:
    dead_letter, other = order(record="a"), order(record="b")
    store.enqueue(dead_letter, 60)
    bury(store)
    store.enqueue_many([other, order(record="a", priority=9)], 60)
    store.replay(dead_letter.id)
    assert drain(store) == [dead_letter.id, "job3", other.id]


def test_dead_letters_of_one_record_keep_their_order_in_any_order_of_replay(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order() for _ in range(4)], 60)
    for _ in range(4):
        bury(store)
    assert [moved.answer for moved in operations.replay(store, ["job3", "job1", "job4", "job2"])] == ["replayed"] * 4
    assert drain(store) == ["job1", "job2", "job3", "job4"]


def test_what_was_delivered_is_not_overwritten_unless_asked_for(store: ClockedStore, order: Orders) -> None:
    dead_letter, newer = order(), order()
    store.enqueue_many([dead_letter, newer], 60)
    bury(store)
    deliver(store)
    superseded = [ActionResult(dead_letter.id, "superseded", newer.id)]
    assert operations.replay(store, [dead_letter.id]) == superseded
    assert operations.replay(store, [dead_letter.id], dry_run=True) == superseded
    assert state(store, dead_letter.id) is State.DEAD
    assert operations.replay(store, [dead_letter.id], force=True) == [ActionResult(dead_letter.id, "replayed")]
    bury(store)
    assert operations.replay(store, [dead_letter.id]) == superseded, "forgotten when it was replayed and died again"
    assert store.purge(dead_letter.id, 3600) == "purged"
    assert store.client.exists(store.key("dead_letter_counts", "loc"), store.key("newest_delivered", "loc")) == 0
    assert store.client.hget(store.key("lane", "loc"), "dead_letters") == b"0"


def test_what_may_have_been_delivered_is_not_overwritten(store: ClockedStore, order: Orders) -> None:
    """A newer job in flight, and one whose worker was lost: the API may have it, and the worker may still report it."""
    dead_letter, newer = order(), order()
    store.enqueue_many([dead_letter, newer], 60)
    bury(store)
    release(store)
    superseded = [ActionResult(dead_letter.id, "superseded", newer.id)]
    assert operations.replay(store, [dead_letter.id]) == superseded
    store.pass_time(31)
    store.reclaim(10, 5)
    assert operations.replay(store, [dead_letter.id]) == superseded
    assert operations.replay(store, [dead_letter.id], force=True)[0].answer == "replayed"
    assert drain(store) == [newer.id, dead_letter.id]


def test_a_newer_job_keeps_its_backoff_after_the_replayed_one(store: ClockedStore, order: Orders) -> None:
    dead_letter, newer = order(), order()
    store.enqueue_many([dead_letter, newer], 60)
    bury(store)
    store.retry(report(release(store)), delay=50)
    assert store.replay(dead_letter.id) == "replayed"
    assert drain(store) == [dead_letter.id]
    store.pass_time(50)
    assert drain(store) == [newer.id]


def test_an_older_job_delivered_later_supersedes_nothing(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(), order()], 60)
    bury(store)
    bury(store)
    store.replay("job1")
    deliver(store)
    assert store.replay("job2") == "replayed"
    assert drain(store) == ["job2"]


@pytest.mark.parametrize(("event_time", "answer"), [(50, "superseded"), (150, "replayed")])
def test_the_event_time_counts_before_the_time_of_acceptance(
    store: ClockedStore, event_time: float, answer: str
) -> None:
    body = b'{"locationId":"loc","name":"n"}'
    dead_letter = NewJob("letter", "loc", "pipe/contact", body, event_time=store.now - 100)
    store.enqueue(dead_letter, 3600)
    bury(store)
    other = NewJob(
        "other", "loc", "pipe/contact", b'{"locationId":"loc","status":"s"}', event_time=store.now - event_time
    )
    store.enqueue(other, 3600)
    deliver(store)
    assert store.replay("letter") == answer


def test_deliveries_are_noted_only_while_their_record_has_dead_letters(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record="dead"), order(record="dead"), order(record="well")], 60)
    bury(store)
    assert set(drain(store)) == {"job2", "job3"}
    assert store.client.hkeys(store.key("newest_delivered", "loc")) == [b"dead"]


def test_an_edit_keeps_the_first_body_and_detects_other_edits(store: ClockedStore, order: Orders) -> None:
    first = order()
    store.enqueue(first, 60)
    edited = NewJob(first.id, "loc", first.record, b'{"n":"edited"}')
    assert store.edit(first.id, first.body, edited) == "pending"
    assert store.edit("nobody", first.body, edited) == "unknown"
    bury(store)
    store.pass_time(1)
    seen = store.job(first.id)
    assert seen is not None
    assert store.edit(first.id, b"{}", edited) == "changed"
    assert store.edit(first.id, first.body, NewJob(first.id, "loc", "pipe/other", b"{}")) == "elsewhere"
    assert store.edit(first.id, first.body, NewJob(first.id, "other", first.record, b"{}")) == "elsewhere"
    assert store.edit(first.id, first.body, edited) == "edited"
    assert store.edit(first.id, edited.body, NewJob(first.id, "loc", first.record, b'{"n":"again"}')) == "edited"
    job = store.job(first.id)
    assert job is not None
    assert (job.body, job.original, job.edited_at) == ({"n": "again"}, {"n": 1}, store.now)
    assert operations.purge_seen(store, [seen], 3600) == [ActionResult(first.id, "changed")]
    store.replay(first.id)
    assert json.loads(release(store).body) == {"n": "again"}
    store.deliver(AttemptReport(first.id, 2, "{}", LIMITS), retention=3600)
    assert store.client.exists(store.key("body", first.id), store.key("original", first.id)) == 0


def test_a_restore_puts_a_dead_letter_back_once(store: ClockedStore) -> None:
    attempts = (Attempt(3, "refused", store.now - 60, store.now - 59, {"status": 422, "message": "no"}),)
    dead_letter = DeadLetter(
        NewJob("old", "loc", "pipe/contact", b'{"n":7}', service="shop", priority=4, event_time=store.now - 99),
        *(Reason.REFUSED, store.now - 100, store.now - 50, attempts, b'{"n":6}'),
    )
    assert operations.restore(store, [dead_letter, dead_letter]) == [
        ActionResult("old", "restored"),
        ActionResult("old", "dead"),
    ]
    job = store.job("old")
    assert job is not None
    assert (job.state, job.reason, job.service, job.priority, job.attempt) == (State.DEAD, "refused", "shop", 4, 3)
    assert (job.accepted_at, job.ended_at, job.event_time) == (store.now - 100, store.now - 50, store.now - 99)
    assert (job.body, job.original, job.attempts) == ({"n": 7}, {"n": 6}, attempts)
    assert store.counts()["accepted"] == store.counts()["dead"] == 1
    assert list(check_consistency(store)) == []
    store.replay("old")
    assert release(store).attempt == 4
    assert store.restore(dead_letter) == "in_flight"
    store.deliver(AttemptReport("old", 4, "{}", LIMITS), retention=3600)
    assert store.restore(dead_letter) == "delivered"


def test_a_purged_dead_letter_comes_back_with_its_merged_jobs(store: ClockedStore) -> None:
    def part(job_id: str, body: bytes) -> NewJob:
        return NewJob(job_id, "loc", "pipe/contact", body, merge=True)

    store.enqueue_many([part("target", b'{"name":"a"}'), part("merged", b'{"status":"b"}')], 60)
    bury(store)
    store.purge("target", 3600)
    assert store.client.pttl(store.key("done", "merged")) > 0
    dead_letter = DeadLetter(part("target", b'{"name":"a"}'), Reason.REFUSED, store.now, store.now, ())
    assert store.restore(dead_letter) == "restored"
    for name, job_id in (("job", "target"), ("done", "merged"), ("merged_jobs", "target"), ("attempts", "target")):
        assert store.client.pttl(store.key(name, job_id)) == -1
    assert (store.counts()["accepted"], store.counts()["dead"], store.counts()["merged"]) == (2, 1, 1)
    assert list(check_consistency(store)) == []


def test_a_dead_letter_from_a_fast_clock_is_found(store: ClockedStore, order: Orders) -> None:
    store.restore(DeadLetter(order(), Reason.REFUSED, store.now + 10**6, store.now + 10**6, ()))
    job = store.job("job1")
    assert job is not None
    assert (job.accepted_at, job.ended_at) == (store.now, store.now)


@pytest.mark.parametrize("held", [0, 500])
def test_the_age_at_which_a_failure_is_the_last_counts_from_the_replay(
    store: ClockedStore, order: Orders, held: float
) -> None:
    store.enqueue(order(), 60)
    bury(store)
    if held:
        store.hold("loc", "why", "me")
        store.pass_time(held)
        store.resume("loc")
    store.pass_time(1000)
    assert store.replay("job1") == "replayed"
    retry_policy = RetryPolicy(max_attempts=9, max_age=100)
    for wait, code in ((99, "retried"), (1, "buried")):
        store.pass_time(wait)
        assert store.retry(report(release(store)), delay=0, retry_policy=retry_policy).code == code
