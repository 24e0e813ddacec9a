"""A renewed pair waits a moment for a replica of Redis, where there is one; a promoted one has it. On real servers."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.redis_server import RedisServer
from ops.sandbox import Sandbox
from tests.helpers import until
from tests.proxy import Proxy
from tests.worker.tokens.conftest import Harness
from worker.tokens import renewer as module

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    servers: list[RedisServer] = []

    def start(*options: str) -> RedisServer:
        servers.append(RedisServer(tmp_path / f"redis-{len(servers)}", options=options))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@contextlib.contextmanager
def harness_for(server: RedisServer, sandbox: Sandbox) -> Iterator[Harness]:
    with connect(server.url) as client:
        harness = Harness(LaneStore(client), sandbox)
        yield harness
        harness.close()


def follow(start: Callable[..., RedisServer], port: int) -> RedisServer:
    replica = start("--replicaof", "127.0.0.1", str(port))
    with redis.Redis(port=replica.port) as client:
        until(lambda: client.info("replication")["master_link_status"] == "up", "the replica to follow")
    return replica


def test_a_renewed_pair_waits_for_a_replica_which_has_it_when_it_is_promoted(
    start: Callable[..., RedisServer], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPLICA_SECONDS", 60.0)
    primary = start()
    with Proxy(primary.port) as line, harness_for(primary, sandbox) as harness:
        replica = follow(start, line.port)
        version = harness.put_pair("loc")
        line.stall()  # the replica hears nothing for now
        renewer = harness.tokens()._renewer
        renewer.renew("loc", version)
        with redis.Redis(port=primary.port) as client:
            until(lambda: client.info("clients")["blocked_clients"], "the renewal to wait for the replica")
        assert renewer._busy == {"loc"}
        line.heal()
        until(lambda: not renewer._busy, "the end of the renewal")
        pair = harness.stored("loc")
        assert harness.store.read("loc").version > version
    primary.kill()
    with redis.Redis(port=replica.port) as client:
        client.replicaof("NO", "ONE")
    with harness_for(replica, sandbox) as promoted:
        assert promoted.stored("loc") == pair
        assert promoted.tokens().of("loc").secret == pair.access_token


def test_a_replica_that_does_not_answer_fails_no_renewal(
    start: Callable[..., RedisServer], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPLICA_SECONDS", 0.2)
    primary = start()
    with Proxy(primary.port) as line, harness_for(primary, sandbox) as harness:
        follow(start, line.port)
        version = harness.put_pair("loc")
        line.stall()
        renewer = harness.tokens()._renewer
        renewer.renew("loc", version)
        until(lambda: not renewer._busy, "the end of the renewal")
        assert harness.store.read("loc").version > version
        assert harness.store.wait_for_replica(0.2) is False
        line.heal()
        assert harness.store.wait_for_replica(60) is True


def test_without_a_replica_there_is_no_wait(harness: Harness) -> None:
    calls = harness.lanes.client.info("commandstats").get("cmdstat_wait", {"calls": 0})["calls"]
    assert harness.store.wait_for_replica(60) is None
    assert harness.lanes.client.info("commandstats").get("cmdstat_wait", {"calls": 0})["calls"] == calls
