"""A done job is one small value. It tells what it told before, until its time is over or history gives way to work."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.checks.history import check_history
from lanes.errors import StoredJobError
from lanes.queue import transitions
from lanes.queue.connecting import connect
from lanes.queue.enqueueing import DurabilityPolicy
from lanes.queue.job import State
from lanes.queue.new_job import EnqueueStatus, NewJob
from lanes.queue.results import Forgotten, Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits
from lanes.times import format_time
from ops.embedded.redis_server import RedisServer
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.whole_state import KEPT, KNOWN, LIMITS, report, send

DETAILS: tuple[dict[str, Any], ...] = (
    {"status": 200, "trace_id": "9e7e382c-f537-439b-9b89-97b0a1fc4915", "opportunity_id": "VvIsDkLw67uQepRiMKVD"},
    {"status": 500, "message": 'no "more"', "code": "X", "seconds": 0.1234, "worker": "celery@höst"},
    {"trace_id": "not-a-uuid", "new": False, "warning": "w", "seconds": 3.0},
    {"trace_id": "9E7E382C-F537-439B-9B89-97B0A1FC4915", "new": True},
    {"status": "200", "seconds": 0.12345678, "more": [1, {"a": None}]},
    {"status": 200, "new": None},
    {},
)


def deliver(store: ClockedStore, detail: str = "{}") -> str:
    """Deliver the next job."""
    job = send(store)
    assert store.deliver(AttemptReport(job.id, job.attempt, detail, LIMITS), retention=KEPT).code == "delivered"
    return job.id


def end_job(store: ClockedStore, end: str) -> None:
    """Let the only job, `job1`, be delivered, cancelled or purged."""
    if end == "cancelled":
        store.cancel("job1", KEPT)
    elif end == "purged":
        store.bury(report(send(store)), reason="refused")
        store.purge("job1", KEPT)
    else:
        deliver(store)


def keys(store: ClockedStore, job_id: str) -> set[str]:
    """Return the kinds of the keys of a job."""
    return {key.decode().split(":")[1] for key in store.client.scan_iter(f"{store.prefix}*:{job_id}")}


@pytest.mark.parametrize("end", ["delivered", "cancelled", "purged"])
def test_one_value_takes_the_place_of_all_keys(store: ClockedStore, order: Orders, end: str) -> None:
    store.enqueue(order(), KNOWN)
    end_job(store, end)
    assert keys(store, "job1") == {"done"}
    assert store.client.lrange(store.key("done_ids"), 0, -1) == [b"-job1"]
    assert 0 < store.client.pttl(store.key("done", "job1")) <= KEPT * 1000
    assert int(store.read_hash("lane", "loc")[b"kept_until"]) == round((store.now + KEPT) * 1_000_000)
    assert list(check_consistency(store)) == []


@pytest.mark.parametrize("detail", DETAILS, ids=range(len(DETAILS)))
def test_a_done_job_tells_what_was_written(store: ClockedStore, detail: dict[str, object]) -> None:
    new_job = NewJob(str(uuid.uuid4()), "loc", "pipe/c", b"{}", priority=3, event_time=START - 5.5)
    new_job = replace(new_job, service="s", version="v3")
    store.enqueue(replace(new_job, expires_at=START + 100), KNOWN)
    store.pass_time(0.125)
    job = send(store)
    store.pass_time(0.5)
    text = json.dumps(detail)
    store.retry(AttemptReport(job.id, 1, text, LIMITS), delay=0)
    send(store, "w2")
    store.pass_time(0.5)
    before = store.job(job.id)
    assert before is not None
    store.deliver(AttemptReport(job.id, 2, text, LIMITS), retention=KEPT)
    after = store.job(job.id)
    assert after is not None
    assert [attempt.detail for attempt in after.attempts] == [detail, detail]

    assert after.attempts[0] == before.attempts[0]
    assert after.attempts[1].ended_at == after.ended_at == store.now
    assert after == replace(before, state=State.DELIVERED, ended_at=store.now, body=None, attempts=after.attempts)


def test_attempts_of_one_worker_with_one_message_take_less(store: ClockedStore) -> None:
    """What is as it was in the attempt before is stored once, and read as it was written."""
    one = {"status": 503, "message": "Service Unavailable", "worker": "celery@host"}
    details: list[dict[str, Any]] = [
        *(
            one,
            one,
            one | {"worker": "celery@other"},
            one | {"message": "true"},
            {"status": 500, "worker": "celery@host"},
        ),
        *({"more": []}, {"status": 500, "worker": "celery@host"}, {"status": 500}, one, one),
    ]
    store.enqueue(NewJob("j", "loc", "pipe/c", b"{}"), KNOWN)
    for number, detail in enumerate(details, 1):
        send(store)
        store.retry(AttemptReport("j", number, json.dumps(detail), LIMITS), delay=0)
        store.pass_time(100)
    send(store)
    store.deliver(AttemptReport("j", len(details) + 1, json.dumps(one), LIMITS), retention=KEPT)
    job = store.job("j")
    assert job is not None
    assert [attempt.detail for attempt in job.attempts] == [*details, one]
    value: Any = store.client.get(store.key("done", "j"))
    assert value.count(b"Service Unavailable") == 2
    assert value.count(b"celery@host") == 3


def test_a_delivered_job_is_small(store: ClockedStore) -> None:
    """As a worker writes it: location, pipeline, contact and opportunity of 20 characters."""
    wide = replace(LIMITS, burst=1000)
    detail = {"status": 200, "trace_id": str(uuid.uuid4()), "opportunity_id": "o" * 20, "new": True, "seconds": 0.4321}
    job_id = str(uuid.uuid4())
    store.enqueue(NewJob(job_id, "l" * 20, f"{'p' * 20}/{'c' * 20}", b"{}"), KNOWN)
    job = send(store)
    store.pass_time(0.433)
    text = json.dumps(detail | {"worker": "celery@host"})
    store.deliver(AttemptReport(job.id, 1, text, wide), retention=KEPT)
    assert store.client.strlen(store.key("done", job_id)) <= 147
    ids: Any = store.client.lrange(store.key("done_ids"), 0, -1)
    assert [len(each) for each in ids] == [17]


def test_a_value_that_cannot_be_read_stops_its_job_only(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(), order(record="other")], KNOWN)
    deliver(store)
    store.client.set(store.key("done", "job1"), b"\xff")
    with pytest.raises(StoredJobError, match=r"^done:job1: "):
        store.job("job1")
    assert store.jobs(["job1", "job2"])[0] is None
    assert [found.code for found in check_consistency(store)] == ["content"]
    assert deliver(store) == "job2"


def fill(store: ClockedStore, order: Orders, jobs: int) -> None:
    """Deliver jobs, one a second."""
    for _ in range(jobs):
        store.enqueue(order(record=f"r{order.made}"), KNOWN)
        deliver(store)
        store.pass_time(10)


def limit_memory(store: ClockedStore, jobs: int, share: float) -> float:
    """Return the share of `maxmemory` that about so many done jobs take."""
    maxmemory = 64 * 2**20
    store.client.config_set("maxmemory", maxmemory)
    history = store.read_history()
    return share * history.size * jobs / history.jobs / maxmemory


@pytest.fixture
def unlimited(store: ClockedStore) -> Iterator[None]:
    """Take the limit of memory away again."""
    yield
    store.client.config_set("maxmemory", 0)


@pytest.mark.usefixtures("unlimited")
def test_the_oldest_jobs_beyond_the_share_are_forgotten(store: ClockedStore, order: Orders) -> None:
    fill(store, order, 12)
    store.enqueue(order(record="waits", idempotency_key="k"), KNOWN)
    store.bury(report(send(store)), reason="refused")
    share = limit_memory(store, 8, 1.0)
    assert store.forget_history(share, 0, 100) == Forgotten(4, more=False)
    assert [store.job(f"job{number}") is None for number in range(1, 14)] == [True] * 4 + [False] * 9
    assert store.counts()["delivered"] == 12
    history = store.read_history()
    assert (history.jobs, history.oldest, history.forgotten) == (8, START + 40, 4)
    notification = store.claim_notification(10, None)
    assert notification is not None
    assert (notification.event, notification.facts["jobs"]) == ("history_forgotten", 4)
    assert list(check_consistency(store)) == []
    assert store.forget_history(None, 0, 100) == Forgotten(0, more=False)


@pytest.mark.usefixtures("unlimited")
def test_none_that_just_ended_is_forgotten(store: ClockedStore, order: Orders) -> None:
    fill(store, order, 12)
    share = limit_memory(store, 12, 0.0)
    assert store.forget_history(share, 0, 100).jobs == 7  # those that ended 60 s ago, or earlier
    assert [store.job(f"job{number}") is None for number in range(1, 13)] == [True] * 7 + [False] * 5


@pytest.mark.usefixtures("unlimited")
def test_merged_jobs_go_with_their_target(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(), order(merge=True)], KNOWN)
    deliver(store)
    store.pass_time(100)
    assert store.forget_history(limit_memory(store, 1, 0.0), 0, 100).jobs == 1
    assert store.jobs(["job1", "job2"]) == [None, None]
    assert keys(store, "job1") | keys(store, "job2") == set()


@pytest.mark.usefixtures("unlimited")
def test_what_makes_a_repeat_harmless_outlives_the_job(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(), order(idempotency_key="k", event_time=START)], KNOWN)
    store.bury(report(send(store)), reason="refused")
    store.pass_time(20)
    deliver(store)
    again = replace(order(idempotency_key="k"), body=b'{"n":2}')
    assert store.enqueue(again, KNOWN).status is EnqueueStatus.KNOWN
    store.pass_time(100)
    assert store.forget_history(limit_memory(store, 1, 0.0), 0, 100).jobs == 1
    answer = store.enqueue(again, KNOWN)
    assert (answer.status, answer.id) == (EnqueueStatus.FORGOTTEN, "job2")
    assert store.replay("job1") == "superseded"


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("end", ["cancelled", "purged", "delivered"])
def test_event_times_know_what_was_newest_when_its_job_is_forgotten(
    store: ClockedStore, order: Orders, end: str
) -> None:
    """A cancelled event was never sent: it stops no older one, whether or not it can still be read."""
    newer = replace(order(event_time=START), body=b'{"pipelineId":"p","status":"won","name":"n"}')
    store.enqueue(newer, KNOWN)
    end_job(store, end)
    store.pass_time(100)
    assert store.forget_history(limit_memory(store, 1, 0.0), 0, 100).jobs == 1
    older = replace(order(event_time=START - 9), body=b'{"pipelineId":"p","status":"open"}')
    store.enqueue(older, KNOWN)
    kept = b'{"pipelineId":"p"}' if end == "delivered" else older.body
    assert store.client.get(store.key("body", "job2")) == kept


@pytest.mark.usefixtures("unlimited")
def test_a_job_that_ended_twice_hides_no_older_one(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    first = send(store)
    store.pass_time(60)
    store.reclaim(9, 9)
    store.cancel("job1", KEPT)
    fill(store, order, 3)
    store.pass_time(60)
    assert store.deliver(report(first), retention=KEPT).code == "delivered"
    assert store.client.lrange(store.key("done_ids"), 0, 0) == [b"-job1"]
    assert store.forget_history(limit_memory(store, 1, 0.0), 0, 100).jobs == 3
    assert store.client.lrange(store.key("done_ids"), 0, -1) == [b"-job1"]
    assert store.job("job1") is not None


def test_the_check_says_what_history_takes_and_how_long_it_can_be_kept(store: ClockedStore, order: Orders) -> None:
    assert list(check_history(store, 0, 2**20, 0.5, 86_400)) == []
    fill(store, order, 4)
    each = store.read_history().size / 4
    note, *others = check_history(store, 360, None, 0.5, 86_400)
    assert (note.code, note.severity, others) == ("history", "note", [])
    assert note.text == f"4 done jobs since {format_time(store.read_history().oldest)} take about 0.0 MB"
    assert len(list(check_history(store, 360, 2 * each * 360 * 24, 0.5, 86_400))) == 1
    _, warning = check_history(store, 360, each * 360 * 24, 0.5, 86_400)
    assert (warning.code, warning.severity) == ("retention", "warning")
    assert warning.text.endswith("jobs are forgotten after 12.0 h")


def test_ids_of_jobs_whose_time_is_over_are_removed(store: ClockedStore, order: Orders) -> None:
    fill(store, order, 3)
    store.client.delete(store.key("done", "job1"), store.key("done", "job3"))
    assert store.forget_history(0.5, 0, 100) == Forgotten(0, more=False)
    assert store.client.lrange(store.key("done_ids"), 0, -1) == [b"-job2", b"-job3"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[LaneStore]:
    """A store in a Redis with 8 MB."""
    with RedisServer(tmp_path, options=("--maxmemory", str(8 * 2**20), "--appendonly", "no")) as server:
        store = LaneStore(connect(server.url))
        yield store
        store.close()


@pytest.mark.slow
@pytest.mark.parametrize("worker", [True, False], ids=["with housekeeping", "without"])
def test_history_never_refuses_work(small: LaneStore, monkeypatch: pytest.MonkeyPatch, worker: bool) -> None:
    """Three times as much as fits is delivered: no enqueue is refused, and no unfinished job or dead letter is lost."""
    policy = DurabilityPolicy(seconds=60)
    monkeypatch.setattr(transitions, "HISTORY_GRACE_SECONDS", -policy.seconds)
    wide = DefaultLimits(burst=10**6, window=0.001, daily=10**8)
    consumer = Consumer("w", 30, KEPT, wide)
    small.enqueue_many([NewJob(f"dead{number}", "loc", f"dead{number}", b"{}") for number in range(50)], KNOWN, policy)
    while isinstance(job := small.release(consumer).next, Released):
        small.bury(AttemptReport(job.id, job.attempt, "{}", wide), reason="refused")
    small.enqueue_many([NewJob(f"held{number}", "held", f"{number}", b"{}") for number in range(50)], KNOWN, policy)
    small.hold("held", "why", "operator")
    passed, jobs = 0, 0
    while passed < 24 * 2**20:
        made = [NewJob(str(uuid.uuid4()), "l" * 20, str(uuid.uuid4()), b"{}", service="s" * 64) for _ in range(500)]
        answers = small.enqueue_many(made, KNOWN, policy)
        assert {getattr(answer, "status", answer) for answer in answers} == {EnqueueStatus.ACCEPTED}
        job = small.release(consumer).next
        while isinstance(job, Released):
            result = small.deliver(
                AttemptReport(job.id, job.attempt, '{"message":"%s"}' % ("m" * 6000), wide),
                retention=KEPT,
                release_for=consumer,
            )
            job, jobs = result.next, jobs + 1
        passed += 500 * (small.client.strlen(small.key("done", made[-1].id)) + 160)
        if worker:
            while small.forget_history(0.5, policy.seconds, 200).more:
                pass
            assert small.read_history().size <= 0.5 * 8 * 2**20
    counts = small.counts()
    assert (counts["delivered"], counts["dead"], counts["pending"]) == (jobs, 50, 50)
    history = small.read_history()
    assert history.forgotten == jobs - history.jobs > 0
    assert all(small.jobs([f"{kind}{number}" for kind in ("dead", "held") for number in range(50)]))
    assert list(check_consistency(small)) == []


@pytest.mark.slow
def test_small_jobs_give_way_beside_an_append_only_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a script deletes waits as commands for the file, so that memory in use does not fall until it has ended."""
    policy = DurabilityPolicy(seconds=60)
    monkeypatch.setattr(transitions, "HISTORY_GRACE_SECONDS", -policy.seconds)
    wide = DefaultLimits(burst=10**6, window=0.001, daily=10**8)
    consumer = Consumer("w", 30, KEPT, wide)
    with RedisServer(tmp_path, options=("--maxmemory", "4500kb", "--appendfsync", "no")) as server:
        store = LaneStore(connect(server.url))
        for _ in range(24):
            made = [NewJob(str(uuid.uuid4()), "loc", str(uuid.uuid4()), b"{}") for _ in range(500)]
            answers = store.enqueue_many(made, KNOWN, policy)
            assert {getattr(answer, "status", str(answer)) for answer in answers} == {EnqueueStatus.ACCEPTED}
            job = store.release(consumer).next
            while isinstance(job, Released):
                job = store.deliver(
                    AttemptReport(job.id, job.attempt, "{}", wide), retention=KEPT, release_for=consumer
                ).next
        assert store.read_history().forgotten > 0
        store.close()


def test_an_enqueue_that_is_retried_finds_its_job_although_a_person_forgot_the_history(
    store: ClockedStore, order: Orders
) -> None:
    """Else it would be delivered twice, the second time after newer jobs of its record."""
    lost, target = order(), order(record="other")
    store.enqueue_many([lost, target], KNOWN)
    deliver(store)
    store.pass_time(89)
    merged = order(record="other", merge=True)
    store.enqueue(merged, KNOWN)
    deliver(store)
    ids = [merged.id, target.id, lost.id]
    assert store.forget_jobs(["loc"], ids, 30) == ([], ["loc", "loc"])
    assert [store.enqueue(each, KNOWN).status for each in (lost, merged)] == [EnqueueStatus.KNOWN] * 2
    store.pass_time(1)
    assert store.forget_jobs(["loc"], ids, 30) == (["loc"], ["loc"])
    store.pass_time(89)
    assert store.forget_jobs(["loc"], ids, 30) == (["loc", "loc"], [])
    assert store.jobs(ids) == [None] * 3


def test_the_event_of_a_cancelled_job_no_longer_counts_when_a_person_forgot_it(
    store: ClockedStore, order: Orders
) -> None:
    store.enqueue(order(event_time=store.now), KNOWN)
    store.bury(report(send(store)), reason="refused")
    store.purge("job1", KEPT)
    store.pass_time(100)
    assert store.forget_jobs(["loc"], ["job1"], 30) == (["loc"], [])
    older = order(event_time=store.now - 150)
    store.enqueue(older, KNOWN)
    [job] = store.jobs([older.id])
    assert job is not None
    assert job.body == {"n": 2}
