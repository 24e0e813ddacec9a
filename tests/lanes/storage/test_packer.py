"""The packer of commands, compared with that of redis-py."""

from typing import Any

import pytest
from redis.connection import Connection, HiredisRespSerializer
from redis.exceptions import DataError

from lanes.queue.connecting import connect
from lanes.storage.packer import LeanPacker

COMMANDS: list[tuple[Any, ...]] = [
    ("EVALSHA", "0" * 40, 1, "lanes:schema", -5, b"\xff\x00\r\n", "é\0", ""),
    ("SCRIPT LOAD", "return 1"),
    (b"CONFIG GET", "*"),
    ("ZADD", "key", 1.5, memoryview(b"member")),
    ("SET", "key", bytearray(b"value")),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_packed_as_by_redis_py(command: tuple[Any, ...]) -> None:
    assert LeanPacker().pack(*command) == HiredisRespSerializer().pack(*command)


@pytest.mark.parametrize("value", [None, object(), ["x"]])
def test_a_value_that_redis_does_not_take_is_refused(value: object) -> None:
    with pytest.raises(DataError):
        LeanPacker().pack("SET", "key", value)


def test_text_that_has_no_bytes_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        LeanPacker().pack("SET", "key", "\udcff")


def test_every_connection_of_the_lanes_has_it() -> None:
    with connect("redis://127.0.0.1:1") as client:
        connection = client.connection_pool.make_connection()
    assert isinstance(connection, Connection)
    assert isinstance(connection._command_packer, LeanPacker)
