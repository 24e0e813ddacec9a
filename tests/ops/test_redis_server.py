"""The embedded Redis: after a crash in the middle of a write, no transaction is executed in part."""

from pathlib import Path

import pytest
import redis

from ops.embedded.redis_server import RedisServer

TRANSITION = "redis.call('INCR', 'left') redis.call('INCR', 'entered') redis.call('INCR', 'counted')"
KEYS = ("left", "entered", "counted")


@pytest.mark.parametrize("cut_off", [1, 20, 40, 60])
def test_a_torn_transaction_is_whole_or_gone_for_good(tmp_path: Path, cut_off: int) -> None:
    server = RedisServer(tmp_path)
    server.start()
    with redis.Redis(port=server.port) as client:
        client.eval(TRANSITION, 0)
        client.eval(TRANSITION, 0)
        server.kill()
        file = tmp_path / "appendonly.aof"
        file.write_bytes(file.read_bytes()[:-cut_off])
        server.start()
        assert client.mget(KEYS) == [b"1"] * 3
        client.set("acknowledged", 1)
        client.eval(TRANSITION, 0)
        server.kill()
        server.start()
        assert client.mget(*KEYS, "acknowledged") == [b"2", b"2", b"2", b"1"]
        server.stop()
