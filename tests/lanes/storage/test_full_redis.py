"""A full Redis refuses new jobs without any change, while the accepted jobs are delivered."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import redis
from redis.exceptions import OutOfMemoryError

from lanes.checks.consistency import check_consistency
from lanes.credentials import CredentialStore
from lanes.errors import RedisUnavailableError
from lanes.outcomes.store import OutcomeStore
from lanes.queue.new_job import EnqueueStatus, NewJob
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from ops.embedded.redis_server import RedisServer
from tests.lanes.conftest import START, ClockedStore
from tests.lanes.whole_state import KEPT, KNOWN, LIMITS, make_consumer, report, send, watch

MEGABYTE = 2**20
ROOM = 6 * MEGABYTE
IN_HAND = AttemptReport("in-hand", 1, "{}", LIMITS)
TAKEN_BACK = AttemptReport("taken-back", 1, "{}", LIMITS)
NEW = NewJob("new", "loc", "new", b'{"status":"won"}')


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server with little memory, else configured as in deployment.

    While it rewrites its append-only file it takes more memory, and gives it back: not in a test of what is full.
    """
    options = ("--maxmemory", str(ROOM), "--auto-aof-rewrite-percentage", "0")
    with RedisServer(tmp_path_factory.mktemp("small"), options=options) as server:
        yield server


@pytest.fixture
def store(small_server: RedisServer) -> Iterator[ClockedStore]:
    """A store with a job in each state."""
    with redis.Redis.from_url(small_server.url) as client:
        client.execute_command("FLUSHALL", "SYNC")  # Valkey would free the memory later
    store = ClockedStore(small_server.url)
    prepare(store)
    yield store
    store.close()


def prepare(store: ClockedStore) -> None:
    """Start from an empty Redis with one job in each state, named after it."""
    store.client.config_set("maxmemory", ROOM)
    client: Any = store.client
    client.execute_command("FLUSHALL", "SYNC")
    store.pass_time(START - store.now)
    store.limit("loc", burst=9, daily=None, weight=None)
    ServiceStore(store).add(Service("crm"))
    for name in ("dead", "taken-back", "in-hand"):
        store.enqueue(
            NewJob(
                name, "loc", name, b'{"status":"open"}', service="crm", idempotency_key=name, expires_at=START + 500
            ),
            KNOWN,
        )
        job = send(store)
        if name == "dead":
            store.bury(report(job), reason="refused")
        if name == "taken-back":
            store.pass_time(60)
            store.reclaim(9, 3)
            store.cancel(name, KEPT)
    store.enqueue(NewJob("behind", "loc", "in-hand", b"{}"), KNOWN)
    store.enqueue(NewJob("over", "loc", "over", b"{}", service="crm", expires_at=store.now + 9), KNOWN)
    store.enqueue(NewJob("ready", "loc", "ready", b'{"status":"open"}', service="crm", event_time=START), KNOWN)
    store.enqueue(NewJob("held", "held", "held", b"{}"), KNOWN)
    store.hold("held", "why", "operator")
    store.client.delete(store.key("outcomes", "crm"))  # they would give way to what is refused
    store.pass_time(60)


def fill(store: ClockedStore) -> None:
    """Fill the memory so far that what the test's own jobs free is not enough."""
    store.client.config_set("maxmemory", ROOM + MEGABYTE)
    with suppress(OutOfMemoryError):
        for number in itertools.count():
            store.client.set(f"filler:{number}", b"x" * (MEGABYTE // 16))
    store.client.config_set("maxmemory", ROOM)


REFUSED: dict[str, Callable[[ClockedStore], object]] = {
    "a job": lambda store: store.enqueue(NEW, KNOWN),
    "a job with options": lambda store: store.enqueue(
        replace(NEW, idempotency_key="k", event_time=START, priority=3, expires_at=START + 500), KNOWN
    ),
    "a job behind others": lambda store: store.enqueue(replace(NEW, record="in-hand", priority=3), KNOWN),
    "a job to merge": lambda store: store.enqueue(replace(NEW, record="ready", merge=True), KNOWN),
    "a job with a stale event": lambda store: store.enqueue(replace(NEW, record="ready", event_time=START - 9), KNOWN),
    "a job of a new location": lambda store: store.enqueue(replace(NEW, location_id="elsewhere"), KNOWN),
    "a limit": lambda store: store.limit("loc", burst=8, daily=None, weight=None),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_new_is_refused_and_changes_nothing(store: ClockedStore, what: str) -> None:
    fill(store)
    with watch(store) as changed, pytest.raises(RedisUnavailableError, match=r"^Redis refuses: .*memory"):
        REFUSED[what](store)
    assert changed == {}


def test_many_jobs_are_refused_each(store: ClockedStore) -> None:
    fill(store)
    with watch(store) as changed:
        answers = store.enqueue_many([replace(NEW, id=f"new{number}") for number in range(70)], KNOWN)
    assert {type(answer) for answer in answers} == {RedisUnavailableError}
    assert len(answers) == 70
    assert changed == {}


def test_the_last_of_the_memory_is_for_the_jobs_that_were_accepted(store: ClockedStore) -> None:
    used = store.client.info("memory")["used_memory"]
    store.client.config_set("maxmemory", used + used // 20)
    with (
        watch(store) as changed,
        pytest.raises(RedisUnavailableError, match=r"^Redis refuses: memory is nearly"),
    ):
        store.enqueue(NEW, KNOWN)
    assert changed == {}
    assert store.enqueue(replace(NEW, id="ready"), KNOWN).status is EnqueueStatus.KNOWN
    store.client.set("what a worker needs beside the lanes", b"x" * 1000)
    store.client.config_set("maxmemory", 2 * used)
    assert store.enqueue(NEW, KNOWN).status is EnqueueStatus.ACCEPTED


def test_outcomes_give_way_before_work_is_refused(store: ClockedStore) -> None:
    """The oldest of the longest stream, read or not: counted and told."""
    client: Any = store.client
    key, outcome = store.key("outcomes", "crm"), {"jobs": "a 1 b 2", "end": "1", "detail": "x" * 200}
    pipeline = client.pipeline(transaction=False)
    for _ in range(2000):
        pipeline.xadd(key, outcome)
    pipeline.execute()
    client.xgroup_create(key, "group", id="0")
    store.forget_history(0.0, 0, 100)  # no history is left that could give way
    client.config_set("maxmemory", ROOM)
    used = client.info("memory")["used_memory"] - client.info("memory")["mem_not_counted_for_evict"]
    client.config_set("maxmemory", round((used - 20_000) * 16 / 15))
    before = client.xlen(key)
    assert store.enqueue(NEW, KNOWN).status is EnqueueStatus.ACCEPTED
    removed = before - client.xlen(key)
    assert removed in (200, 400)
    forgotten = int(client.hget(store.key("totals"), "outcomes_forgotten"))
    assert removed < forgotten <= 2 * removed
    OutcomeStore(store).trim_outcomes(10**8, 10**6)
    told = {facts["event"]: facts.get("outcomes") for facts in notifications(store)}
    assert told["outcomes_forgotten"] == told["outcomes_unread"] == forgotten
    client.delete(key)
    client.config_set("maxmemory", client.info("memory")["used_memory"])
    with pytest.raises(RedisUnavailableError, match="memory is nearly used up"):
        store.enqueue(replace(NEW, id="newer"), KNOWN)


def notifications(store: ClockedStore) -> list[dict[str, Any]]:
    """Return the facts of every notification."""
    client: Any = store.client
    return [json.loads(each) for each in client.zrange(store.key("notifications"), 0, -1)]


def test_memory_is_reserved_for_each_pending_job(store: ClockedStore) -> None:
    store.client.config_set("maxmemory", 2 * store.client.info("memory")["used_memory"])
    store.client.hset(store.key("counts"), "pending", 10_000)
    with pytest.raises(RedisUnavailableError, match="memory is nearly used up"):
        store.enqueue(NEW, KNOWN)
    store.client.hset(store.key("counts"), "pending", 100)
    assert store.enqueue(NEW, KNOWN).status is EnqueueStatus.ACCEPTED


@pytest.mark.parametrize(("maxmemory", "looks"), [(0, 1), (2**40, 1), (48 * MEGABYTE, 3)])
def test_memory_is_looked_at_less_often_while_it_is_ample(store: ClockedStore, maxmemory: int, looks: int) -> None:
    store.client.config_set("maxmemory", maxmemory)
    store.client.config_resetstat()
    jobs = [replace(NEW, id=f"new{number}") for number in range(150)]
    store.enqueue_many(jobs, KNOWN)  # three calls of the script in one round trip
    assert store.client.info("commandstats")["cmdstat_info"]["calls"] == looks


def test_an_accepted_job_is_recognized(store: ClockedStore) -> None:
    fill(store)
    assert store.enqueue(replace(NEW, id="ready"), KNOWN).status is EnqueueStatus.KNOWN
    assert store.enqueue(replace(NEW, idempotency_key="dead"), KNOWN).status is EnqueueStatus.KNOWN


GOES_ON: dict[str, Callable[[ClockedStore], object]] = {
    "release": lambda store: store.release(make_consumer("w2")),
    "release again": lambda store: store.release(make_consumer("w1")),
    "deliver": lambda store: store.deliver(IN_HAND, retention=KEPT),
    "deliver and take": lambda store: store.deliver(IN_HAND, retention=KEPT, release_for=make_consumer("w2")),
    "deliver late": lambda store: store.deliver(TAKEN_BACK, retention=KEPT),
    "retry": lambda store: store.retry(IN_HAND, delay=5),
    "retry late": lambda store: store.retry(TAKEN_BACK, delay=5),
    "throttle": lambda store: store.throttle(IN_HAND, wait=5),
    "throttle late": lambda store: store.throttle(TAKEN_BACK, wait=5),
    "bury": lambda store: store.bury(IN_HAND, reason="refused"),
    "bury and hold": lambda store: store.bury(IN_HAND, reason="unauthorized", hold="no access"),
    "reclaim": lambda store: store.reclaim(9, 3),
    "reclaim the last": lambda store: store.reclaim(9, 1),
    "expire": lambda store: store.expire(9),
    "cancel": lambda store: store.cancel("ready", KEPT),
    "replay": lambda store: store.replay("dead"),
    "purge": lambda store: store.purge("dead", KEPT),
    "hold": lambda store: store.hold("loc", "why", "operator"),
    "resume": lambda store: store.resume("held"),
    "a refusal that is known": lambda store: [
        store.hold("loc", "no access", "authorization"),
        store.bury(IN_HAND, reason="unauthorized", hold="no access"),
    ],
    "another credential": lambda store: [
        store.hold("held", "no access", "authorization"),
        CredentialStore(store).store_credential("held", b"another"),
        CredentialStore(store).renew_version("held"),
        store.resume_authorized("held"),
    ],
}


@pytest.mark.parametrize("what", GOES_ON)
def test_accepted_jobs_go_on_as_with_free_memory(store: ClockedStore, what: str) -> None:
    with watch(store) as with_room:
        answer = GOES_ON[what](store)
    prepare(store)
    fill(store)
    with watch(store) as without:
        assert GOES_ON[what](store) == answer
    assert without == with_room
    with pytest.raises(RedisUnavailableError):  # it was full all the time
        store.enqueue(NEW, KNOWN)
    assert list(check_consistency(store)) == []


def test_a_full_redis_is_drained_and_then_takes_jobs_again(store: ClockedStore) -> None:
    fill(store)
    store.resume("held")
    store.replay("dead")
    assert store.deliver(IN_HAND, retention=KEPT).code == "delivered"
    assert drain(store) == ["behind", "held", "ready", "dead"]
    with pytest.raises(RedisUnavailableError):
        store.enqueue(NEW, KNOWN)
    store.client.config_set("maxmemory", 2 * ROOM)
    assert store.enqueue(NEW, KNOWN).status is EnqueueStatus.ACCEPTED
    assert drain(store) == ["new"]
    counts = store.counts()
    assert (counts["accepted"], counts["delivered"], counts["cancelled"], counts["expired"]) == (8, 6, 1, 1)
    assert list(check_consistency(store)) == []


def drain(store: ClockedStore) -> list[str]:
    """Deliver all that can be sent; return the ids in order."""
    sent = []
    job = store.release(make_consumer()).next
    while isinstance(job, Released):
        sent.append(job.id)
        job = store.deliver(report(job), retention=KEPT, release_for=make_consumer()).next
    assert job == Idle(None)
    return sent
