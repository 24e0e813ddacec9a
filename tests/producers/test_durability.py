"""How safe a job is when `enqueue` returns, on real servers and replicas. Each case on both producers.

That a job is on the platter cannot be shown by killing a process: what it wrote stays in the machine's memory. What is
shown is that Redis says so, and that a Redis that cannot say so is an error.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from lanes.checks.consistency import check_consistency
from lanes.errors import SettingsError
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.settings import ProducerSettings, WorkerSettings
from ops.embedded.redis_server import RedisServer
from producers import DurabilityError, InvalidJobError, State
from tests.helpers import until
from tests.producers.conftest import OK, MakeProducer, Producer
from tests.proxy import Proxy
from tests.redis_programs import PROGRAMS, redis_program
from worker.safety.startup_check import StartupCheck

pytestmark = pytest.mark.timeout(60)

KEY = {"idempotency_key": "order-4711"}
SOON, LATE = 2.0, 30.0  # seconds for what will not come (half is for the answer that it did not), and for what will

Start = Callable[..., RedisServer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers; they end with the test."""
    servers: list[RedisServer] = []

    def start(program: str, *options: str) -> RedisServer:
        server = RedisServer(tmp_path / f"redis-{len(servers)}", options=options, program=redis_program(program))
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()  # one that is asked to end waits for its replicas


def follow(start: Start, program: str, port: int) -> RedisServer:
    """Start a replica of what listens on this port, and wait until it has caught up."""
    replica = start(program, "--replicaof", "127.0.0.1", str(port))
    with redis.Redis(port=replica.port) as client:
        until(lambda: client.info("replication")["master_link_status"] == "up", "the replica to follow")
    return replica


def settings(server: RedisServer, seconds: float = LATE, durability: str = "accepted") -> ProducerSettings:
    return ProducerSettings(redis_url=server.url, enqueue_timeout_seconds=seconds, durability=durability)


def calls(server: RedisServer, command: str) -> int:
    with redis.Redis(port=server.port) as client:
        return int(client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])


def inspect(server: RedisServer) -> None:
    """Let a worker look at the server, as it does once a minute."""
    store = LaneStore(connect(server.url))
    StartupCheck(store, WorkerSettings()).recheck()
    store.close()


def waits(server: RedisServer) -> bool:
    with redis.Redis(port=server.port) as client:
        return bool(client.info("clients")["blocked_clients"])


def counts(server: RedisServer) -> dict[str, int]:
    store = LaneStore(connect(server.url))
    try:
        assert list(check_consistency(store)) == []
        return store.counts()
    finally:
        store.close()


def row(number: int) -> dict[str, str]:
    return {**OK, "contactId": f"c{number}"}


@pytest.mark.parametrize("sync", ["always", "everysec"])
def test_a_new_server_is_asked_whether_it_is_on_its_disk(make_producer: MakeProducer, start: Start, sync: str) -> None:
    server = start("valkey-9.1", "--appendfsync", sync)
    producer = make_producer(settings(server))
    producer.enqueue(OK)  # now it has the script
    assert calls(server, "waitaof") == 0
    receipt = producer.enqueue(OK, durability="fsync")
    assert producer.status(receipt.job_id).state is State.PENDING
    assert calls(server, "waitaof") == 1


def test_many_rows_wait_once_a_batch(make_producer: MakeProducer, start: Start) -> None:
    server = start("valkey-9.1")
    producer = make_producer(settings(server, durability="fsync"))
    assert producer.enqueue_many(row(number) for number in range(1100)).accepted == 1100
    assert calls(server, "waitaof") == 3


@pytest.mark.parametrize(
    ("program", "options", "why"),
    [
        ("valkey-9.1", ("--appendfsync", "no"), "Redis has not synced its append-only file in time"),
        ("valkey-9.1", ("--appendonly", "no"), "Redis refuses: .* appendonly is disabled"),
        ("redis-7.0", ("--appendonly", "no"), "older than 7.2 .* keeps no append-only file: set appendonly yes"),
        ("redis-7.0", ("--appendfsync", "everysec"), "older than 7.2 .*: set appendfsync always"),
        ("redis-7.0", ("--no-appendfsync-on-rewrite", "yes"), "older than 7.2 .* no-appendfsync-on-rewrite no"),
        ("redis-7.0", ("--rename-command", "CONFIG", ""), "older than 7.2 .*, and no worker has read its settings"),
        ("redis-6.2", ("--appendfsync", "everysec"), "older than 7.2 .*: set appendfsync always"),
    ],
    ids=[
        *("never synced", "no file", "7.0, no file", "7.0, every second", "7.0, not always", "7.0, reports nothing"),
        "6.2, every second",
    ],
)
def test_where_it_cannot_be_had_the_job_is_accepted_and_the_error_holds_its_receipt(
    make_producer: MakeProducer, start: Start, program: str, options: tuple[str, ...], why: str
) -> None:
    server = start(program, *options)
    inspect(server)
    producer = make_producer(settings(server, SOON))
    unmet = rf"^job \w+ is accepted, but .*durability fsync is not confirmed: .*{why}"
    with pytest.raises(DurabilityError, match=unmet) as caught:
        producer.enqueue(OK, durability="fsync")
    receipt = caught.value.receipt
    assert receipt is not None
    assert producer.status(receipt.job_id).body == OK
    with pytest.raises(DurabilityError) as again:
        producer.enqueue(OK, durability="fsync", job_id=receipt.job_id)
    assert again.value.receipt is not None
    assert (again.value.receipt.job_id, producer.enqueue(OK, job_id=receipt.job_id)) == (receipt.job_id, receipt)
    with pytest.raises(DurabilityError, match=r"^the rows are accepted, but") as many:
        producer.enqueue_many([row(1), {**OK, "status": "opened"}, row(2)], durability="fsync")
    report = many.value.report
    assert report is not None
    assert (report.accepted, report.last_row, [rejected.row for rejected in report.refused]) == (2, 3, [2])
    assert counts(server)["accepted"] == 3


@pytest.mark.parametrize("program", ["redis-7.0", "redis-6.2"])
def test_an_old_server_that_always_syncs_is_as_good(make_producer: MakeProducer, start: Start, program: str) -> None:
    server = start(program)
    inspect(server)
    producer = make_producer(settings(server))
    job_id = producer.enqueue(OK, durability="fsync").job_id
    assert producer.enqueue_many([row(1)], durability="fsync").accepted == 1
    server.kill()
    server.start()
    assert producer.status(job_id).body == OK


UNKNOWN = "older than 7.2 .*, and no worker has read its settings since its start, or for 10 minutes: start a worker"


@pytest.mark.parametrize(
    ("options", "why"),
    [((), UNKNOWN), (("--appendfsync", "everysec"), UNKNOWN), (("--appendonly", "no"), "keeps no append-only file")],
    ids=["as before", "every second", "no file"],
)
def test_what_a_worker_read_before_a_restart_is_not_trusted(
    make_producer: MakeProducer, tmp_path: Path, options: tuple[str, ...], why: str
) -> None:
    program = redis_program("redis-7.0")
    with RedisServer(tmp_path / "redis", program=program) as server:
        inspect(server)
        make_producer(settings(server)).enqueue(row(1), durability="fsync")
    with RedisServer(tmp_path / "redis", server.port, options, program) as server:
        with pytest.raises(DurabilityError, match=why):
            make_producer(settings(server)).enqueue(row(2), durability="fsync")
        if not options:
            inspect(server)
            make_producer(settings(server)).enqueue(row(3), durability="fsync")


def test_what_a_worker_read_is_trusted_for_ten_minutes(make_producer: MakeProducer, start: Start) -> None:
    server = start("redis-7.0")
    inspect(server)
    producer = make_producer(settings(server))
    producer.enqueue(row(1), durability="fsync")
    with redis.Redis(port=server.port) as client:
        assert 0 < client.ttl("lanes:aof_settings") <= 600
        client.delete("lanes:aof_settings")
        with pytest.raises(DurabilityError, match=UNKNOWN):
            producer.enqueue(row(2), durability="fsync")
        client.set("lanes:aof_settings", b"\xff")  # no worker wrote it
        with pytest.raises(DurabilityError, match=UNKNOWN):
            producer.enqueue(row(3), durability="fsync")


def test_a_new_server_is_asked_itself_and_nothing_is_stored_for_it(start: Start) -> None:
    server = start("valkey-9.1")
    inspect(server)
    with redis.Redis(port=server.port) as client:
        assert client.keys() == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_replica_that_does_not_answer_is_missed_and_a_retry_misses_it_too(
    make_producer: MakeProducer, start: Start, program: str
) -> None:
    primary = start(program)
    replica = follow(start, program, primary.port)
    patient, hasty = make_producer(settings(primary)), make_producer(settings(primary, SOON))
    assert not patient.enqueue(OK, durability="replicas:1").duplicate
    os.kill(replica.pid, signal.SIGSTOP)
    with pytest.raises(
        DurabilityError, match="durability replicas:1 is not confirmed: 0 of 1 replicas have acknowledged"
    ) as caught:
        hasty.enqueue(row(1), durability="replicas:1", **KEY)
    receipt = caught.value.receipt
    # A connection that wrote nothing would wait for nothing.
    fresh = make_producer(settings(primary, SOON))
    with pytest.raises(DurabilityError):
        fresh.enqueue(row(1), durability="replicas:1", **KEY)
    os.kill(replica.pid, signal.SIGCONT)
    again = patient.enqueue(row(1), durability="replicas:1", **KEY)
    assert receipt is not None
    assert (again.job_id, again.duplicate) == (receipt.job_id, True)
    with pytest.raises(DurabilityError, match="1 of 2 replicas"):
        hasty.enqueue(row(2), durability="replicas:2")
    assert counts(primary)["accepted"] == 3


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_replica_acknowledged_outlives_the_primary_and_what_was_only_accepted_may_not(
    make_producer: MakeProducer, start: Start, program: str
) -> None:
    primary = start(program)
    with Proxy(primary.port) as line:
        replica = follow(start, program, line.port)
        producer = make_producer(settings(primary))
        line.stall()
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(producer.enqueue, row(0), durability="replicas:1")
            until(lambda: first.done() or waits(primary), "the producer to wait, or not to")
            assert not first.done()  # the replica has not heard of it yet
            line.heal()
        safe = [first.result().job_id]
        safe += [producer.enqueue(row(number), durability="replicas:1").job_id for number in range(1, 3)]
        safe += producer.enqueue_many([row(number) for number in range(3, 9)], durability="replicas:1").job_ids
        line.stall()  # the replica lags
        accepted = producer.enqueue(row(9)).job_id
        primary.kill()
        line.cut()
    with redis.Redis(port=replica.port) as client:
        client.replicaof("NO", "ONE")
    promoted = make_producer(settings(replica))
    assert [promoted.status(job_id).state for job_id in safe] == [State.PENDING] * 9
    assert counts(replica)["accepted"] == 9  # the last one is lost with its primary
    assert promoted.enqueue(row(9), job_id=accepted).job_id == accepted


@pytest.mark.parametrize(
    ("program", "sync"), [("valkey-9.1", "everysec"), ("redis-7.0", "always"), ("redis-6.2", "everysec")]
)
def test_what_was_accepted_outlives_a_killed_producer_and_a_killed_redis(start: Start, program: str, sync: str) -> None:
    server = start(program, "--appendfsync", sync)
    script = (
        "from producers import OpportunityProducer; from itertools import count\n"
        f"producer = OpportunityProducer.from_url('{server.url}')\n"
        f"for number in count(): print(producer.enqueue({{**{OK!r}, 'contactId': f'c{{number}}'}}).job_id, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reported = [process.stdout.readline().strip() for _ in range(50)]
        process.kill()
        reported += process.stdout.read().split()
    server.kill()
    server.start()
    store = LaneStore(connect(server.url))
    assert {len(reported[0])} == {len(job_id) for job_id in reported}
    assert all(job is not None and job.state is State.PENDING for job in store.jobs(reported))
    assert counts(server)["accepted"] in (len(reported), len(reported) + 1)  # one may have been on its way when it died
    store.close()


@pytest.mark.parametrize("wrong", ["", "synced", "replicas", "replicas:0", "replicas:17", "replicas:-1", "fsync "])
def test_a_mistyped_level_is_reported_and_nothing_is_enqueued(producer: Producer, store: LaneStore, wrong: str) -> None:
    with pytest.raises(InvalidJobError, match="durability: must be accepted, fsync or replicas:N"):
        producer.enqueue(OK, durability=wrong)
    with pytest.raises(InvalidJobError, match="durability: must be"):
        producer.enqueue_many([OK], durability=wrong)
    with pytest.raises(SettingsError, match=r"LANES_DURABILITY: must be accepted, fsync or replicas:N"):
        ProducerSettings.load({"LANES_DURABILITY": wrong or "-"})
    assert store.counts()["accepted"] == 0
