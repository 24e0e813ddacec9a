"""Every way in which a real Redis can fail: a bounded wait, and an error that names the cause.

Each case on both producers.
"""

import contextlib
import re
import resource
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lanes.settings import ProducerSettings
from ops.embedded.processes import Child
from ops.embedded.redis_server import RedisServer, find_redis_server, free_port
from producers import EnqueueFailedError, EnqueueInterruptedError, RedisUnavailableError, Trouble
from tests.certificates import make_certificate
from tests.helpers import until
from tests.producers.conftest import OK, MakeProducer
from tests.proxy import Proxy
from tests.redis_programs import redis_program

# Bounded waits are what is tested: a call that hangs ends its test here.
pytestmark = pytest.mark.timeout(60)

PATIENCE = 0.6
SLOTS = 16384

Case = Callable[[Path, contextlib.ExitStack], str]


def nothing_listens(folder: Path, stack: contextlib.ExitStack) -> str:
    del folder, stack
    return f"redis://127.0.0.1:{free_port()}/0"


def nobody_answers(folder: Path, stack: contextlib.ExitStack) -> str:
    del folder
    silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    return f"redis://127.0.0.1:{silent.getsockname()[1]}/0"


def no_redis(folder: Path, stack: contextlib.ExitStack) -> str:
    """A web server where a Redis should be."""
    del folder
    server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    stack.callback(server.shutdown)
    return f"redis://127.0.0.1:{server.server_port}/0"


def start(folder: Path, stack: contextlib.ExitStack, *options: str, program: str | None = None) -> RedisServer:
    server = RedisServer(folder / "redis", options=options, program=program)
    stack.callback(server.kill)
    server.start()
    return server


def loading(folder: Path, stack: contextlib.ExitStack) -> str:
    """A server that reads its snapshot slowly, key by key."""
    program = redis_program("valkey-9.1")
    with (
        RedisServer(folder, options=["--appendonly", "no", "--rdbcompression", "no"], program=program) as server,
        redis.Redis(port=server.port) as client,
    ):
        client.mset({f"k{number}": "x" * 1100 for number in range(800)})
        client.save()
    here = ["--port", str(server.port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "no"]
    slow = ["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"]
    child = Child("redis", [program, *here, *slow], folder / "slow.log")
    stack.callback(child.kill)

    def is_loading() -> bool:
        once = Retry(NoBackoff(), 0)
        with redis.Redis(port=server.port, retry=once) as client, contextlib.suppress(redis.ConnectionError):
            try:
                client.ping()
            except redis.BusyLoadingError:
                return True
        return False

    until(is_loading, "the server to be loading")
    return server.url


def busy(folder: Path, stack: contextlib.ExitStack) -> str:
    server = start(folder, stack, "--lua-time-limit", "10")
    endless = threading.Thread(target=run_for_ever, args=(server.port,))
    endless.start()
    stack.callback(endless.join)
    stack.callback(server.kill)
    with redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)) as client:

        def refused() -> bool:
            with contextlib.suppress(redis.ConnectionError):
                try:
                    client.ping()
                except redis.ResponseError as error:
                    return str(error).startswith("BUSY")
            return False

        until(refused, "the script to run for long")
    return server.url


def run_for_ever(port: int) -> None:
    with redis.Redis(port=port, retry=Retry(NoBackoff(), 0)) as client, contextlib.suppress(redis.ConnectionError):
        client.eval("while true do end", 0)


def replica(folder: Path, stack: contextlib.ExitStack) -> str:
    return start(folder, stack, "--replicaof", "127.0.0.1", str(free_port())).url


def lost_replica(folder: Path, stack: contextlib.ExitStack) -> str:
    lost = ("--replicaof", "127.0.0.1", str(free_port()), "--replica-serve-stale-data", "no")
    server = RedisServer(folder / "redis", options=lost)
    stack.callback(server.kill)
    with contextlib.suppress(redis.exceptions.MasterDownError):
        server.start()
    return server.url


def full(folder: Path, stack: contextlib.ExitStack) -> str:
    return start(folder, stack, "--maxmemory", "1").url


def failing_disk(folder: Path, stack: contextlib.ExitStack) -> str:
    """A server whose append-only file can grow no further. It syncs every second: one that always does so would end."""
    program = folder / "redis-server"
    program.write_text(f'#!/bin/sh\ntrap "" XFSZ\nexec {find_redis_server()} "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    server = start(folder, stack, "--appendfsync", "everysec", program=str(program))
    with redis.Redis(port=server.port) as client:
        client.set("before", "1")
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        with contextlib.suppress(redis.ResponseError):
            client.set("long", "x" * 5000)
        until(lambda: client.info("persistence")["aof_last_write_status"] == "err", "the file to be full")
    return server.url


def too_few_replicas(folder: Path, stack: contextlib.ExitStack) -> str:
    return start(folder, stack, "--min-replicas-to-write", "1").url


def guarded(folder: Path, stack: contextlib.ExitStack, user: str, *rules: str) -> str:
    server = start(folder, stack, "--requirepass", "sesame", "--user", "worker", "on", ">hunter2", *rules)
    return f"redis://{user}127.0.0.1:{server.port}/0"


def no_password(folder: Path, stack: contextlib.ExitStack) -> str:
    return guarded(folder, stack, "")


def wrong_password(folder: Path, stack: contextlib.ExitStack) -> str:
    return guarded(folder, stack, ":hunter2@")


def no_rights(folder: Path, stack: contextlib.ExitStack) -> str:
    return guarded(folder, stack, "worker:hunter2@", "~*", "+@connection")


def no_rights_in_scripts(folder: Path, stack: contextlib.ExitStack) -> str:
    return guarded(folder, stack, "worker:hunter2@", "~*", "+@connection", "+evalsha", "+eval", "+script|load", "+time")


def no_keys(folder: Path, stack: contextlib.ExitStack) -> str:
    return guarded(folder, stack, "worker:hunter2@", "~other:*", "+@all")


def cluster(folder: Path, stack: contextlib.ExitStack, slots: int) -> str:
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    server = start(folder, stack, *options, program=redis_program("valkey-9.1"))
    with redis.Redis(port=server.port) as client:
        if slots:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, slots - 1)
            state = "ok" if slots == SLOTS else "fail"
            until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == state, "the state of the cluster")
    return server.url


def cluster_with_all_slots(folder: Path, stack: contextlib.ExitStack) -> str:
    """A node that could run the scripts, as long as it is the only one."""
    return cluster(folder, stack, SLOTS)


def cluster_with_half_the_slots(folder: Path, stack: contextlib.ExitStack) -> str:
    return cluster(folder, stack, SLOTS // 2)


def cluster_without_slots(folder: Path, stack: contextlib.ExitStack) -> str:
    return cluster(folder, stack, 0)


def sentinel(folder: Path, stack: contextlib.ExitStack) -> str:
    folder.mkdir(exist_ok=True)
    own = folder / "sentinel.conf"
    own.touch()
    server = RedisServer(folder, options=["--sentinel"], program=redis_program("valkey-9.1"), configuration=own)
    stack.callback(server.kill)
    server.start()
    return server.url


def other_schema(folder: Path, stack: contextlib.ExitStack) -> str:
    server = start(folder, stack)
    with redis.Redis(port=server.port) as client:
        client.set("lanes:schema", "nonsense\r\n")
    return server.url


def no_such_database(folder: Path, stack: contextlib.ExitStack) -> str:
    return start(folder, stack).url.replace("/0", "/99")


def tls(folder: Path, stack: contextlib.ExitStack, address: str) -> Proxy:
    server = start(folder, stack)
    return stack.enter_context(Proxy(server.port, make_certificate(folder / "redis.pem", address)))


def unknown_certificate(folder: Path, stack: contextlib.ExitStack) -> str:
    return f"rediss://127.0.0.1:{tls(folder, stack, '127.0.0.1').port}/0"


def certificate_of_another(folder: Path, stack: contextlib.ExitStack) -> str:
    port = tls(folder, stack, "127.0.0.2").port
    return f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={folder / 'redis.pem'}"


def no_tls(folder: Path, stack: contextlib.ExitStack) -> str:
    return start(folder, stack).url.replace("redis://", "rediss://")


def only_tls(folder: Path, stack: contextlib.ExitStack) -> str:
    return f"redis://127.0.0.1:{tls(folder, stack, '127.0.0.1').port}/0"


AWAY = r"^Redis cannot be reached: .*[^.]; is it running, and is LANES_REDIS_URL right\?"
TLS = r"^Redis cannot be reached: .*; does it use TLS, and is its certificate \(ssl_ca_certs\) right\?"
RIGHTS = r"^Redis refuses: .*; give its user the permissions in docs/threat-model.md"
UNFIT = r"^Redis refuses: .*; LANES_REDIS_URL must name a primary that is not in a cluster, and a database that it has"
CLUSTER = r"^this Redis cannot hold the lanes: it is a node of a cluster, .*: name one outside a cluster"
CASES: dict[Case, tuple[Trouble, str]] = {
    nothing_listens: (Trouble.AWAY, AWAY),
    nobody_answers: (Trouble.AWAY, AWAY),
    no_redis: (Trouble.AWAY, AWAY),
    loading: (Trouble.LOADING, r"^Redis refuses: .*; it is starting: wait"),
    replica: (Trouble.READ_ONLY, r"^Redis refuses: .*; it is a replica: is LANES_REDIS_URL that of the primary\?"),
    lost_replica: (Trouble.READ_ONLY, r"^Redis refuses: .*; it is a replica"),
    busy: (Trouble.BUSY, r"^Redis refuses: BUSY .*; it is running a script that does not end: see docs/runbook.md"),
    full: (
        Trouble.FULL,
        r"^Redis refuses: .*; its memory is full: give it more, or wait until workers have delivered jobs",
    ),
    failing_disk: (Trouble.DISK, r"^Redis refuses: .*; it cannot write to its disk: see its log, and free disk space"),
    too_few_replicas: (Trouble.REPLICAS, r"^Redis refuses: .*; it has fewer replicas than its min-replicas-to-write"),
    no_password: (Trouble.PASSWORD, r"^Redis refused the password or user of LANES_REDIS_URL: "),
    wrong_password: (Trouble.PASSWORD, r"^Redis refused the password or user of LANES_REDIS_URL: "),
    no_rights: (Trouble.PERMISSIONS, RIGHTS),
    no_rights_in_scripts: (Trouble.PERMISSIONS, RIGHTS),
    no_keys: (Trouble.PERMISSIONS, RIGHTS),
    cluster_with_all_slots: (Trouble.UNFIT, CLUSTER),
    cluster_with_half_the_slots: (Trouble.UNFIT, CLUSTER),
    cluster_without_slots: (Trouble.UNFIT, CLUSTER),
    sentinel: (
        Trouble.UNFIT,
        r"^this Redis cannot hold the lanes: it is a Sentinel: name the primary that it",
    ),
    other_schema: (Trouble.SCHEMA, r"^the data in Redis have schema .*, and this version reads schema \d"),
    no_such_database: (Trouble.UNFIT, UNFIT),
    unknown_certificate: (Trouble.TLS, TLS),
    certificate_of_another: (Trouble.TLS, TLS),
    no_tls: (Trouble.AWAY, AWAY),
    only_tls: (Trouble.AWAY, AWAY),
}
READABLE = {replica, full, failing_disk, too_few_replicas}


def rejected(call: Callable[[], object]) -> RedisUnavailableError:
    """Return how a call is refused, well within the time that a hang would take."""
    began = time.monotonic()
    with pytest.raises(RedisUnavailableError) as caught:
        call()
    assert time.monotonic() - began < 20 * PATIENCE
    reported = str(caught.value)
    assert reported.isprintable()
    assert "hunter2" not in reported
    return caught.value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_each_redis_failure_has_its_error_within_the_time(
    make_producer: MakeProducer, case: Case, tmp_path: Path
) -> None:
    trouble, line = CASES[case]
    with contextlib.ExitStack() as stack:
        producer = make_producer(ProducerSettings(redis_url=case(tmp_path, stack), enqueue_timeout_seconds=PATIENCE))
        one = rejected(lambda: producer.enqueue(OK))
        many = rejected(lambda: producer.enqueue_many([OK]))
        assert isinstance(one, EnqueueFailedError)
        assert isinstance(many, EnqueueInterruptedError)
        errors: list[RedisUnavailableError] = [one, many]
        if case not in READABLE:
            errors += [rejected(lambda: producer.status("job")), rejected(lambda: producer.wait("job", 60))]
            errors += [rejected(lambda: producer.cancel("job"))]
        for error in errors:
            assert re.search(line, str(error)), str(error)
            assert error.trouble is trouble


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_a_wait_retries_no_longer_than_its_timeout(make_producer: MakeProducer, timeout: float) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    producer = make_producer(ProducerSettings(redis_url=url, enqueue_timeout_seconds=600))
    with pytest.raises(RedisUnavailableError, match="cannot be reached"):
        producer.wait("job", timeout)
