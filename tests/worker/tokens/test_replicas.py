"""A renewed pair waits a moment for a replica of Redis, where there is one; a promoted one has it. On real servers."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from lanes.store import LaneStore, connect
from ops.redis_server import RedisServer
from tests.proxy import Proxy
from tests.worker.highlevel.conftest import until
from tests.worker.tokens.conftest import Desk
from worker.highlevel.sandbox import Sandbox
from worker.tokens import renewer as module

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    servers: list[RedisServer] = []

    def start(*options: str) -> RedisServer:
        options = (*options, "--repl-diskless-sync-delay", "0")
        servers.append(RedisServer(tmp_path / f"redis-{len(servers)}", options=options))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@contextlib.contextmanager
def desk_on(server: RedisServer, sandbox: Sandbox) -> Iterator[Desk]:
    with connect(server.url) as client:
        desk = Desk(LaneStore(client), sandbox)
        yield desk
        desk.close()


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
    with Proxy(primary.port) as line, desk_on(primary, sandbox) as desk:
        replica = follow(start, line.port)
        version = desk.put_pair("loc")
        line.stall()  # the replica hears nothing for now
        renewer = desk.tokens()._renewer
        renewer.renew("loc", version)
        with redis.Redis(port=primary.port) as client:
            until(lambda: client.info("clients")["blocked_clients"], "the renewal to wait for the replica")
        assert renewer._busy == {"loc"}
        line.heal()
        until(lambda: not renewer._busy, "the end of the renewal")
        pair = desk.stored("loc")
        assert desk.store.read("loc").version > version
    primary.kill()
    with redis.Redis(port=replica.port) as client:
        client.replicaof("NO", "ONE")
    with desk_on(replica, sandbox) as promoted:
        assert promoted.stored("loc") == pair
        assert promoted.tokens().of("loc").secret == pair.access_token


def test_a_replica_that_does_not_answer_fails_no_renewal(
    start: Callable[..., RedisServer], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPLICA_SECONDS", 0.2)
    primary = start()
    with Proxy(primary.port) as line, desk_on(primary, sandbox) as desk:
        follow(start, line.port)
        version = desk.put_pair("loc")
        line.stall()
        renewer = desk.tokens()._renewer
        renewer.renew("loc", version)
        until(lambda: not renewer._busy, "the end of the renewal")
        assert desk.store.read("loc").version > version
        assert desk.store.wait_for_replica(0.2) is False
        line.heal()
        assert desk.store.wait_for_replica(60) is True


def test_without_a_replica_nobody_waits(desk: Desk) -> None:
    calls = desk.lanes.client.info("commandstats").get("cmdstat_wait", {"calls": 0})["calls"]
    assert desk.store.wait_for_replica(60) is None
    assert desk.lanes.client.info("commandstats").get("cmdstat_wait", {"calls": 0})["calls"] == calls
