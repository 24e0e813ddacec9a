"""The embedded Redis: which program it is, what it finds in a folder, and that no transaction is executed in part."""

from pathlib import Path

import pytest
import redis

from lanes.dead_letters.operations import STEP
from ops.embedded.redis_server import NoRedisServerError, RedisServer, find_redis_server
from ops.embedded.stored_data import UnreadableDataError, server_version
from producers.model import MAX_BODY_BYTES
from tests.redis_programs import PROGRAMS, redis_program

TRANSITION = "redis.call('INCR', 'left') redis.call('INCR', 'entered') redis.call('INCR', 'counted')"
KEYS = ("left", "entered", "counted")


@pytest.mark.parametrize("name", PROGRAMS)
def test_unread_replies_are_bounded_above_the_longest_of_ours(tmp_path: Path, name: str) -> None:
    """Redis disconnects a client whose unread replies are longer. It counts a reply until it has sent it."""
    attempts = STEP * 32 * 1024
    longest = 2 * STEP * MAX_BODY_BYTES + attempts
    program = redis_program(name)
    with RedisServer(tmp_path, program=program) as server, redis.Redis(port=server.port) as client:
        limits = client.config_get("client-output-buffer-limit")["client-output-buffer-limit"]
        kind, hard, soft, _ = limits.split()[:4]
        assert kind == "normal"
        assert longest < int(soft) < int(hard)
        assert len(client.eval("return string.rep('x', ARGV[1])", 0, longest)) == longest


def last_file(folder: Path) -> Path:
    """The file to which the server appends."""
    old = folder / "appendonly.aof"
    return old if old.exists() else next((folder / "appendonlydir").glob("*.incr.aof"))


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("cut_off", [1, 20, 40, 60])
def test_a_torn_transaction_is_whole_or_gone_for_good(tmp_path: Path, cut_off: int, name: str) -> None:
    server = RedisServer(tmp_path, program=redis_program(name))
    server.start()
    with redis.Redis(port=server.port) as client:
        client.eval(TRANSITION, 0)
        client.eval(TRANSITION, 0)
        server.kill()
        file = last_file(tmp_path)
        file.write_bytes(file.read_bytes()[:-cut_off])
        server.start()
        assert client.mget(KEYS) == [b"1"] * 3
        client.set("acknowledged", 1)
        client.eval(TRANSITION, 0)
        server.kill()
        server.start()
        assert client.mget(*KEYS, "acknowledged") == [b"2", b"2", b"2", b"1"]
        server.stop()


def test_the_embedded_server_is_used_even_if_another_is_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_version(find_redis_server()) == ("Valkey", 9, 1)


def test_without_the_package_it_is_the_one_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.embedded.redis_server.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoRedisServerError, match=r"pip install 'highlevel-lanes\[embedded\]', or install a server"):
        find_redis_server()
    (tmp_path / "redis-server").touch(mode=0o755)
    assert find_redis_server() == str(tmp_path / "redis-server")


def run_once(folder: Path, name: str) -> list[bytes]:
    """Start a server on the folder, write a key, and return the keys that it had found."""
    with RedisServer(folder, program=redis_program(name)) as server, redis.Redis(port=server.port) as client:
        found = list(client.scan_iter())
        client.set(name, 1)
    return found


@pytest.mark.parametrize(("before", "after"), [("redis-6.2", "redis-7.0"), ("redis-6.2", "valkey-9.1"),
                                               ("redis-7.0", "valkey-9.1")])  # fmt: skip
def test_a_newer_server_finds_the_data_of_an_older_one(tmp_path: Path, before: str, after: str) -> None:
    assert run_once(tmp_path, before) == []
    assert run_once(tmp_path, after) == [before.encode()]


@pytest.mark.parametrize(
    ("before", "after", "made_by"),
    [
        ("valkey-9.1", "redis-7.0", "Valkey 9 or newer"),
        ("valkey-9.1", "redis-6.2", "Valkey 9 or newer"),
        ("redis-7.0", "redis-6.2", "Redis 7 or newer"),
    ],
)
def test_an_older_server_says_that_it_cannot_read_the_data_of_a_newer_one(
    tmp_path: Path, before: str, after: str, made_by: str
) -> None:
    assert run_once(tmp_path, before) == []
    files = {path: path.read_bytes() for path in (tmp_path / "appendonlydir").iterdir()}
    version = after.replace("-", " ").title().replace(" ", r" ")
    with pytest.raises(UnreadableDataError, match=rf"\({version}\) cannot read the data in .*, which {made_by} wrote"):
        run_once(tmp_path, after)
    assert {path: path.read_bytes() for path in (tmp_path / "appendonlydir").iterdir()} == files
    assert run_once(tmp_path, before) == [before.encode()]


def test_data_of_redis_8_are_not_for_valkey(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "appendonlydir" / "appendonly.aof.1.base.rdb").write_bytes(b"REDIS0012\xff")
    with pytest.raises(UnreadableDataError, match=r"which Redis 7\.4 or newer wrote; nothing was changed"):
        run_once(tmp_path, "valkey-9.1")
