"""The embedded Redis: after a crash in the middle of a write, no transaction is executed in part."""

from pathlib import Path

import pytest
import redis

from lanes.dead_letters.operations import STEP
from ops.embedded.redis_server import RedisServer
from producers.model import MAX_BODY_BYTES
from tests.redis_programs import PROGRAMS

TRANSITION = "redis.call('INCR', 'left') redis.call('INCR', 'entered') redis.call('INCR', 'counted')"
KEYS = ("left", "entered", "counted")


@pytest.mark.parametrize("program", PROGRAMS)
def test_unread_replies_are_bounded_above_the_longest_of_ours(tmp_path: Path, program: str) -> None:
    """Redis disconnects a client whose unread replies are longer. It counts a reply until it has sent it."""
    attempts = STEP * 32 * 1024
    longest = 2 * STEP * MAX_BODY_BYTES + attempts
    with RedisServer(tmp_path, program=PROGRAMS[program]()) as server, redis.Redis(port=server.port) as client:
        limits = client.config_get("client-output-buffer-limit")["client-output-buffer-limit"]
        kind, hard, soft, _ = limits.split()[:4]
        assert kind == "normal"
        assert longest < int(soft) < int(hard)
        assert len(client.eval("return string.rep('x', ARGV[1])", 0, longest)) == longest


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
