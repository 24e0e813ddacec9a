"""The private parts of redis-py that `lanes.queue.exchange`, both `connect` and `ops/redis_backup.py` use."""

import asyncio
import socket
from importlib.metadata import version
from typing import Any

import pytest
import redis
import redis.asyncio

from lanes.queue import async_store, connecting

PING = ("PING",)
SLOW = ("BLPOP", "nothing", "5")


def test_the_version_that_these_tests_were_written_for() -> None:
    assert version("redis").startswith("8."), "another redis-py: read what changed in it, then this file"


def test_a_connection_sends_several_commands_at_once_and_waits_for_each_reply(redis_url: str) -> None:
    with connecting.connect(redis_url) as client:
        pool: Any = client.connection_pool
        connection = pool.get_connection()
        connection.send_packed_command(connection.pack_commands([PING, PING, SLOW]))
        assert [connection.read_response(timeout=5) for _ in range(2)] == [b"PONG", b"PONG"]
        with pytest.raises(redis.TimeoutError):
            connection.read_response(timeout=0.05)
        assert connection.socket_timeout == 10
        connection.disconnect()
        pool.release(connection)


def test_an_asynchronous_connection_does_so_too_but_returns_none_when_nothing_came(redis_url: str) -> None:
    async def talk() -> list[object]:
        pool = async_store.connect(redis_url).connection_pool
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        await connection.send_packed_command(connection.pack_commands([PING, SLOW]))
        replies = [await connection.read_response(timeout=seconds) for seconds in (5, 0.05)]
        await connection.disconnect(nowait=True)
        await pool.release(connection)
        return replies

    assert asyncio.run(talk()) == [b"PONG", None]


@pytest.mark.parametrize("connect", [connecting.connect, async_store.connect])
def test_a_connection_refuses_an_option_that_it_does_not_know(connect: type) -> None:
    pool = connect("redis://127.0.0.1:1").connection_pool
    with pytest.raises(TypeError):
        pool.connection_class(**pool.connection_kwargs, nonsense=1)


def test_a_connection_has_its_socket(redis_url: str) -> None:
    with connecting.connect(redis_url) as client:
        connection = client.connection_pool.make_connection()
        connection.connect()
        assert isinstance(connection._sock, socket.socket)
        connection.disconnect()
        assert connection._sock is None
