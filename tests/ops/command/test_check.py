"""`lanes check`: what it says of a Redis and its jobs, and what `--repair` makes of it."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from lanes.checks.permissions import DRY_RUN_ONLY, OWN, commands_of, missing_permissions
from lanes.queue.store import LaneStore
from lanes.storage.keys import SCHEMA
from lanes.storage.scripts import names
from lanes.storage.usable import version_of
from ops.embedded.redis_server import RedisServer
from tests.ops.command.conftest import CONSUMER, Run
from tests.redis_programs import PROGRAMS, redis_program

Enqueue = Callable[..., str]


def findings(shown: Any) -> dict[str, dict[str, Any]]:
    return {found["code"]: found for found in json.loads(shown.stdout)["findings"]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A separate Redis, for tests that change its settings."""
    with RedisServer(tmp_path / "own-redis") as server:
        yield server


def test_a_consistent_redis(quick: Run, bury: Enqueue, enqueue: Enqueue) -> None:
    empty = json.loads(quick("check", "--json").stdout)
    assert (empty["consistent"], empty["jobs"], empty["repaired"]) == (True, 0, [])
    assert {found["severity"] for found in empty["findings"]} <= {"note"}
    assert empty["memory"]["used"] > 0
    bury()
    enqueue()
    shown = quick("check")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert shown.stderr.splitlines()[-1].startswith("consistent: 2 jobs checked, 0 warnings, ")


def test_what_is_wrong_is_reported_then_previewed_then_repaired(quick: Run, enqueue: Enqueue, store: LaneStore) -> None:
    job_id, orphan = enqueue(), enqueue(contact="other")
    store.client.delete(store.key("ready", "loc"))
    store.client.delete(store.key("job", orphan))
    shown = quick("check")
    assert shown.returncode == 1
    assert any(line.startswith(f"error job-position {job_id}: waits in 0 places") for line in shown.stdout.splitlines())
    assert json.loads(quick("check", "--json").stdout)["consistent"] is False
    rehearsed = quick("check", "--repair")
    assert rehearsed.returncode == 1
    assert "would put it into its place in its lane" in rehearsed.stdout
    assert "nothing was changed" in rehearsed.stderr
    assert not store.client.exists(store.key("ready", "loc"))
    repaired = quick("check", "--repair", "--yes")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert f"repaired: job-position {job_id}: " in repaired.stdout
    assert getattr(store.release(CONSUMER).next, "id", None) == job_id
    dead_letter = json.loads(quick("job", orphan, "--json").stdout)
    assert (dead_letter["state"], dead_letter["body"]["contactId"]) == ("dead", "other")
    assert "its state is unknown" in dead_letter["attempts"][-1]["message"]
    again = quick("check", "--repair", "--yes")
    assert (again.returncode, again.stdout) == (0, "")


def test_yes_without_repair_is_wrong_use(quick: Run) -> None:
    assert quick("check", "--yes").returncode == 2


def test_a_redis_outage_is_status_3(quick: Run) -> None:
    for options in ([], ["--json"], ["--repair", "--yes"]):
        assert quick("check", *options, url="redis://127.0.0.1:1/0").returncode == 3


def test_a_redis_that_loses_things(quick: Run, server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendonly", "no")
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] * 1.1))
    shown = quick("check", "--json", url=server.url)
    found = findings(shown)
    assert shown.returncode == 1
    assert {found[code]["severity"] for code in ("eviction", "no-aof")} == {"error"}
    assert found["eviction"]["advice"] == "CONFIG SET maxmemory-policy noeviction"
    assert found["memory"]["severity"] == "warning"
    assert json.loads(shown.stdout)["memory"]["share"] > 0.8


def test_appendfsync_and_maxmemory(quick: Run, server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.config_set("appendfsync", "no")
        found = findings(quick("check", "--json", url=server.url))
        assert (found["fsync"]["severity"], found["no-maxmemory"]["severity"]) == ("warning", "note")
        client.config_set("appendfsync", "everysec")
        shown = quick("check", "--json", url=server.url)
    assert findings(shown)["fsync"]["severity"] == "note"
    assert shown.returncode == 0


def test_a_replica(quick: Run, server: RedisServer, redis_server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.replicaof("127.0.0.1", redis_server.port)
        assert findings(quick("check", "--json", url=server.url))["replica"]["severity"] == "error"


@pytest.mark.parametrize("words", ["check --json", "status", "job some", "enqueue -", "token list", "dashboard"])
def test_data_of_another_schema_are_refused_in_one_line(quick: Run, server: RedisServer, words: str) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.set("lanes:schema", int(SCHEMA) + 1)
    line = b'{"pipelineId":"p","locationId":"l","contactId":"c"}' if words.startswith("enqueue") else b""
    shown = quick(*words.split(), url=server.url, stdin=line)
    assert shown.returncode == 3
    assert shown.stdout == ""
    (refusal,) = shown.stderr.splitlines()
    assert f"schema '{int(SCHEMA) + 1}', and this version reads schema {SCHEMA}" in refusal


@pytest.mark.parametrize("name", PROGRAMS)
def test_missing_permissions_are_listed(quick: Run, tmp_path: Path, name: str) -> None:
    """Redis 7.0 and later have a dry run; on earlier versions, commands that write are not tried."""
    with RedisServer(tmp_path / name, program=redis_program(name)) as server:
        with redis.Redis.from_url(server.url) as client:
            client.execute_command("ACL SETUSER half on >word ~lanes:* &* +@all -zadd -getdel -sadd -config")
            has_dry_run = version_of(str(client.info()["redis_version"])) >= (7, 0)
        found = findings(quick("check", "--json", url=server.url.replace("//", "//half:word@")))
    text = found["permissions"]["text"]
    assert found["permissions"]["severity"] == "error"
    assert "GETDEL" in text
    assert "ZADD" in text
    assert ("SADD" in text) == has_dry_run
    assert "HGET" not in text
    assert "ACL SETUSER" in found["permissions"]["advice"]


def test_without_the_permissions_to_check_it_lists_the_missing_ones(quick: Run, server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL SETUSER poor on >word ~lanes:* &* +@all -scan -hmget")
    shown = quick("check", "--json", url=server.url.replace("//", "//poor:word@"))
    assert shown.returncode == 1
    assert "HMGET" in findings(shown)["permissions"]["text"]
    assert "not-audited" in findings(shown)


def test_info_that_is_not_permitted(quick: Run, server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL SETUSER blind on >word ~lanes:* &* +@all -info -config -acl -pubsub")
    shown = quick("check", url=server.url.replace("//", "//blind:word@"))
    assert (shown.returncode, shown.stdout) == (0, "")
    (warning,) = [line for line in shown.stderr.splitlines() if line.startswith("warning")]
    assert warning.startswith("warning no-info redis: INFO is renamed or not permitted: no memory is reserved for")
    assert warning.endswith("; allow INFO to every user of the lanes")


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_command_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    """Each alone, of those that the scripts call and that can be asked for."""
    commands = commands_of(names()) | (OWN if name != "redis-6.2" else set())
    commands.discard("INFO")  # the lanes work without it
    asked = commands - ({"GET", "EVAL", "TIME"} if name != "redis-6.2" else DRY_RUN_ONLY | {"GET", "TIME"})
    with (
        RedisServer(tmp_path / name, program=redis_program(name)) as server,
        redis.Redis.from_url(server.url) as client,
    ):
        for command in sorted(asked):
            client.execute_command(f"ACL SETUSER half reset on >word ~lanes:* &* +@all -{command.lower()}")
            with redis.Redis.from_url(server.url.replace("//", "//half:word@")) as half:
                (finding,) = missing_permissions(LaneStore(half))
            assert finding.text == f"this user of Redis may not use {command} on the keys of the lanes"
        client.execute_command("ACL SETUSER half reset on >word ~lanes:* &* +@all")
        with redis.Redis.from_url(server.url.replace("//", "//half:word@")) as half:
            assert list(missing_permissions(LaneStore(half))) == []


def test_testing_permissions_changes_nothing(quick: Run, store: LaneStore, enqueue: Enqueue) -> None:
    enqueue()
    store.client.delete(store.key("memory_checked"))  # it would expire meanwhile
    keys = sorted(store.client.keys())
    before = [store.client.dump(key) for key in keys]
    quick("check")
    assert sorted(store.client.keys()) == keys
    assert [store.client.dump(key) for key in keys] == before


def test_lanes_without_consumers(quick: Run, enqueue: Enqueue, store: LaneStore) -> None:
    enqueue()
    assert "no-consumers" not in findings(quick("check", "--json"))
    store.client.zadd(store.key("due"), {"loc": (time.time() - 100) * 1_000_000})
    shown = quick("check", "--json")
    assert findings(shown)["no-consumers"]["severity"] == "error"
    assert "no worker is running" in findings(shown)["no-consumers"]["text"]
    assert shown.returncode == 1
    with store.client.pubsub() as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(store.key("wake"))
        channel.get_message(timeout=5)
        shown = quick("check", "--json")
    assert findings(shown)["no-consumers"]["severity"] == "warning"
    assert shown.returncode == 0
    store.hold_all("a reason", "operator")
    assert "no-consumers" not in findings(quick("check", "--json"))


def test_a_clock_that_is_off(quick: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lanes.checks.server.time.time", time.monotonic)
    assert "behind" in findings(quick("check", "--json"))["clock"]["text"]


def test_a_key_of_the_wrong_type_is_one_line(quick: Run, store: LaneStore, enqueue: Enqueue) -> None:
    enqueue()
    store.client.delete(store.key("active", "loc"))
    store.client.set(store.key("active", "loc"), "text")
    shown = quick("check")
    assert shown.returncode == 1
    assert "active:loc" in shown.stdout + shown.stderr
    assert "Traceback" not in shown.stderr
