"""A worker and a Redis that would lose jobs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import structlog
from structlog.testing import LogCapture

from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from lanes.storage.keys import SCHEMA
from ops.embedded.redis_server import RedisServer, free_port
from ops.embedded.stack import Stack
from producers import State
from tests.end_to_end.conftest import producer_of
from tests.helpers import row, until
from tests.redis_programs import redis_program
from worker.safety import startup_check
from worker.safety.startup_check import EX_CONFIG

Client = redis.Redis
WORKER = ["celery", "-A", "worker", "worker"]


def without_aof(client: Client) -> None:
    client.config_set("appendonly", "no")


def evicting(client: Client) -> None:
    client.config_set("maxmemory-policy", "allkeys-lru")


def replica(client: Client) -> None:
    client.config_set("replica-read-only", "no")
    client.replicaof("127.0.0.1", 1)


REASONS: dict[str, tuple[Callable[[Client], None], str, str]] = {
    "no AOF": (without_aof, "appendonly is off", "CONFIG SET appendonly yes"),
    "eviction": (evicting, "maxmemory-policy is allkeys-lru", "CONFIG SET maxmemory-policy noeviction"),
    "replica": (replica, "this is a replica", "name the primary in LANES_REDIS_URL"),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_worker_refuses_a_redis_that_loses_jobs(make_stack: Callable[..., Stack], name: str) -> None:
    worsen, why, remedy = REASONS[name]
    stack = make_stack()
    with redis.Redis.from_url(stack.redis.url) as client:
        worsen(client)
    worker = stack.start("worker", [*WORKER, "--concurrency", "2"])
    until(lambda: worker.status is not None, "the worker to end")
    assert worker.status == EX_CONFIG
    lines = [line for line in worker.output.splitlines() if line.startswith("lanes: ")]
    assert len(lines) == 2
    assert why in lines[0]
    assert remedy in lines[0]
    assert "LANES_ALLOW_UNSAFE_REDIS" in lines[1]
    assert "Traceback" not in worker.output
    assert " ready." not in worker.output


def test_a_worker_refuses_data_of_another_schema(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(allow_unsafe_redis=True)
    with redis.Redis.from_url(stack.redis.url) as client:
        client.set("lanes:schema", int(SCHEMA) - 1)
    worker = stack.start("worker", [*WORKER, "--concurrency", "2"])
    until(lambda: worker.status is not None, "the worker to end")
    assert worker.status == EX_CONFIG
    (line,) = (line for line in worker.output.splitlines() if line.startswith("lanes: "))
    assert f"schema '{int(SCHEMA) - 1}', and this version reads schema {SCHEMA}" in line
    assert "Traceback" not in worker.output
    assert " ready." not in worker.output


def in_a_cluster(stack: Stack, slots: int) -> str:
    """Make its Redis a node of a cluster."""
    options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    stack.redis = RedisServer(stack.folder / "cluster", options=options, program=redis_program("valkey-9.1"))
    stack.redis.start()
    with redis.Redis.from_url(stack.redis.url) as client:
        if slots:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, slots - 1)
            until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok", "all slots served")
    return stack.redis.url


UNUSABLE: dict[str, tuple[Callable[[Stack], str], str]] = {
    "a node of a cluster": (lambda stack: in_a_cluster(stack, 16384), "name one outside a cluster in LANES_REDIS_URL"),
    "a node without slots": (lambda stack: in_a_cluster(stack, 0), "name one outside a cluster in LANES_REDIS_URL"),
    "no such database": (lambda stack: stack.redis.url.replace("/0", "/99"), "and a database that it has"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_worker_ends_at_once_on_a_redis_that_it_cannot_use(tmp_path: Path, name: str) -> None:
    prepare, remedy = UNUSABLE[name]
    with Stack(tmp_path, {"LANES_ALLOW_UNSAFE_REDIS": "true"}) as stack:
        stack.start_redis()
        before = stack.redis
        url = prepare(stack)
        worker = stack.start("worker", [*WORKER, "--concurrency", "2"], LANES_REDIS_URL=url)
        until(lambda: worker.status is not None, "the worker to end", 30)
        before.stop()
    assert worker.status == EX_CONFIG
    (line,) = [line for line in worker.output.splitlines() if line.startswith("lanes: ")]
    assert line.startswith("lanes: the worker does not start: ")
    assert line.endswith(remedy)
    assert "Traceback" not in worker.output


def test_a_worker_without_info_delivers(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    with redis.Redis.from_url(stack.redis.url) as client:
        client.execute_command("ACL SETUSER blind on >word ~* &* +@all -info")
    stack.settings["LANES_REDIS_URL"] = stack.redis.url.replace("//", "//blind:word@")
    worker = stack.start_worker()
    assert worker.output.count('"redis_unsafe"') == 1
    assert '"reason": "no-info"' in worker.output
    producer = producer_of(stack)
    assert producer.wait(producer.enqueue(row("loc", "contact")).job_id, 30).state is State.DELIVERED
    assert "Traceback" not in worker.output


@pytest.mark.parametrize("pool", ["threads", "solo", "gevent"])
def test_it_ends_in_any_pool(make_stack: Callable[..., Stack], pool: str) -> None:
    stack = make_stack()
    with redis.Redis.from_url(stack.redis.url) as client:
        without_aof(client)
    worker = stack.start("worker", [*WORKER, "--pool", pool])
    until(lambda: worker.status is not None, "the worker to end")
    assert worker.status == EX_CONFIG


def test_with_the_override_it_starts_and_warns(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(allow_unsafe_redis=True)
    with redis.Redis.from_url(stack.redis.url) as client:
        without_aof(client)
        evicting(client)
    worker = stack.start_worker()
    assert worker.output.count('"redis_unsafe"') == 2


def test_where_config_is_not_permitted_a_missing_aof_is_a_warning(make_stack: Callable[..., Stack]) -> None:
    """As a provider's Redis is, which keeps data in its own way."""
    stack = make_stack()
    with redis.Redis.from_url(stack.redis.url) as client:
        without_aof(client)
        client.execute_command("ACL SETUSER guest on >word ~* &* +@all -config")
    url = stack.redis.url.replace("//", "//guest:word@")
    worker = stack.start("worker", [*WORKER, "--loglevel", "info"], LANES_REDIS_URL=url)
    until(lambda: " ready." in worker.output, "the worker to start")
    assert worker.output.count('"redis_unsafe"') == 1
    assert '"reason": "no-aof"' in worker.output


def test_what_changes_while_it_runs_is_one_warning(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = LogCapture()
    monkeypatch.setattr(startup_check, "log", structlog.wrap_logger(None, processors=[logs]))
    with connect(redis_url) as client:
        watching = startup_check.StartupCheck(LaneStore(client), WorkerSettings())
        assert watching.blocking_findings() == []
        watching.recheck()
        assert logs.entries == []
        try:
            for times in (1, 2):
                evicting(client)
                watching.recheck()
                watching.recheck()
                assert [entry["reason"] for entry in logs.entries] == ["eviction"] * times
                client.config_set("maxmemory-policy", "noeviction")
                watching.recheck()
        finally:
            client.config_set("maxmemory-policy", "noeviction")
