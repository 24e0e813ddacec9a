"""`lanes check`: what it says of a Redis and its jobs, and what `--repair` makes of it."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from lanes.keys import SCHEMA
from lanes.rights import HARMLESS, ONLY_ASKED
from lanes.store import LaneStore
from ops.redis_server import RedisServer
from tests.ops.command.conftest import SEAT, Run
from tests.redis_programs import PROGRAMS

Enqueue = Callable[..., str]


def findings(shown: Any) -> dict[str, dict[str, Any]]:
    return {found["code"]: found for found in json.loads(shown.stdout)["findings"]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of its own, for who changes its settings."""
    with RedisServer(tmp_path / "own-redis") as server:
        yield server


def test_a_sound_redis(quick: Run, bury: Enqueue, enqueue: Enqueue) -> None:
    empty = json.loads(quick("check", "--json").stdout)
    assert (empty["sound"], empty["jobs"], empty["mended"]) == (True, 0, [])
    assert {found["severity"] for found in empty["findings"]} <= {"note"}
    assert empty["memory"]["used"] > 0
    bury()
    enqueue()
    shown = quick("check")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert shown.stderr.splitlines()[-1].startswith("sound: 2 jobs looked at, 0 warnings, ")


def test_what_is_wrong_is_told_then_shown_then_mended(quick: Run, enqueue: Enqueue, store: LaneStore) -> None:
    job_id, ghost = enqueue(), enqueue(contact="other")
    store.client.delete(store.key("ready", "loc"))
    store.client.delete(store.key("job", ghost))
    shown = quick("check")
    assert shown.returncode == 1
    assert any(line.startswith(f"error job-place {job_id}: waits in 0 places") for line in shown.stdout.splitlines())
    assert json.loads(quick("check", "--json").stdout)["sound"] is False
    rehearsed = quick("check", "--repair")
    assert rehearsed.returncode == 1
    assert "would put it into its place in its lane" in rehearsed.stdout
    assert "nothing was changed" in rehearsed.stderr
    assert not store.client.exists(store.key("ready", "loc"))
    mended = quick("check", "--repair", "--yes")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert f"mended: job-place {job_id}: " in mended.stdout
    assert getattr(store.release(SEAT).next, "id", None) == job_id
    letter = json.loads(quick("job", ghost, "--json").stdout)
    assert (letter["state"], letter["body"]["contactId"]) == ("dead", "other")
    assert "what became of it is not known" in letter["attempts"][-1]["message"]
    again = quick("check", "--repair", "--yes")
    assert (again.returncode, again.stdout) == (0, "")


def test_yes_without_repair_is_wrong_use(quick: Run) -> None:
    assert quick("check", "--yes").returncode == 2


def test_redis_away_is_status_3(quick: Run) -> None:
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


def test_a_replica_and_a_newer_layout(quick: Run, server: RedisServer, redis_server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.set("lanes:schema", int(SCHEMA) + 1)
        assert findings(quick("check", "--json", url=server.url))["newer-schema"]["severity"] == "error"
        client.replicaof("127.0.0.1", redis_server.port)
        assert findings(quick("check", "--json", url=server.url))["replica"]["severity"] == "error"


@pytest.mark.parametrize("age", PROGRAMS)
def test_rights_that_are_missing(quick: Run, tmp_path: Path, age: str) -> None:
    """From 7.0 on Redis tells without doing; before, what would write is not tried."""
    with RedisServer(tmp_path / age, program=PROGRAMS[age]()) as server:
        with redis.Redis.from_url(server.url) as client:
            client.execute_command("ACL SETUSER half on >word ~lanes:* &* +@all -zadd -getdel -sadd -config")
        found = findings(quick("check", "--json", url=server.url.replace("//", "//half:word@")))
    text = found["rights"]["text"]
    assert found["rights"]["severity"] == "error"
    assert "GETDEL" in text
    assert "ZADD" in text
    assert ("SADD" in text) == (age == "new")
    assert "HGET" not in text
    assert "ACL SETUSER" in found["rights"]["advice"]


def test_without_the_rights_to_look_it_tells_which_are_missing(quick: Run, server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL SETUSER poor on >word ~lanes:* &* +@all -scan -hmget")
    shown = quick("check", "--json", url=server.url.replace("//", "//poor:word@"))
    assert shown.returncode == 1
    assert "HMGET" in findings(shown)["rights"]["text"]
    assert "not-audited" in findings(shown)


def test_info_that_is_not_permitted(quick: Run, server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL SETUSER blind on >word ~lanes:* &* +@all -info -config -acl -pubsub")
    shown = quick("check", "--json", url=server.url.replace("//", "//blind:word@"))
    assert findings(shown)["no-info"]["severity"] == "warning"
    assert "INFO" in findings(shown)["rights"]["text"]  # a producer asks how much memory is left
    assert shown.returncode == 1


def test_the_table_of_rights_names_every_command_of_the_scripts() -> None:
    scripts = Path("lanes/scripts") if Path("lanes/scripts").is_dir() else Path(__file__).parents[3] / "lanes/scripts"
    text = "\n".join(path.read_text("utf-8") for path in scripts.rglob("*.lua"))
    used = {word.split("'")[0] for word in text.split("redis.call('")[1:]}
    assert used <= HARMLESS.keys() | ONLY_ASKED.keys()


def test_trying_the_rights_changes_nothing(quick: Run, store: LaneStore, enqueue: Enqueue) -> None:
    enqueue()
    keys = sorted(store.client.keys())
    before = [store.client.dump(key) for key in keys]
    quick("check")
    assert sorted(store.client.keys()) == keys
    assert [store.client.dump(key) for key in keys] == before


def test_lanes_that_nobody_serves(quick: Run, enqueue: Enqueue, store: LaneStore) -> None:
    enqueue()
    assert "unserved" not in findings(quick("check", "--json"))
    store.client.zadd(store.key("due"), {"loc": (time.time() - 100) * 1_000_000})
    shown = quick("check", "--json")
    assert findings(shown)["unserved"]["severity"] == "error"
    assert "no worker is there" in findings(shown)["unserved"]["text"]
    assert shown.returncode == 1
    with store.client.pubsub() as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(store.key("wake"))
        channel.get_message(timeout=5)
        shown = quick("check", "--json")
    assert findings(shown)["unserved"]["severity"] == "warning"
    assert shown.returncode == 0
    store.hold_all("a reason", "operator")
    assert "unserved" not in findings(quick("check", "--json"))


def test_a_clock_that_is_off(quick: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lanes.fitness.time.time", time.monotonic)
    assert "behind" in findings(quick("check", "--json"))["clock"]["text"]


def test_a_key_of_the_wrong_type_is_one_line(quick: Run, store: LaneStore, enqueue: Enqueue) -> None:
    enqueue()
    store.client.delete(store.key("heads", "loc"))
    store.client.set(store.key("heads", "loc"), "text")
    shown = quick("check")
    assert shown.returncode == 1
    assert "heads:loc" in shown.stdout + shown.stderr
    assert "Traceback" not in shown.stderr
