"""The pool of connections: no reply reaches another caller, whatever happened to a connection since its last use."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from lanes.queue.connecting import connect, connect_shared
from lanes.storage.pool import call
from tests.helpers import until

THREADS = 8


@pytest.fixture(params=[connect, connect_shared])
def client(request: pytest.FixtureRequest, redis_url: str) -> Iterator["redis.Redis"]:
    with request.param(redis_url) as client:
        yield client


CALLS: dict[str, Callable[..., object]] = {
    "a script": lambda client, text: call(client, "ECHO", text),
    "a command of redis-py": lambda client, text: client.echo(text),
}


@pytest.fixture(params=CALLS)
def echo(request: pytest.FixtureRequest) -> Callable[..., object]:
    """Each way in which a connection is taken."""
    return CALLS[request.param]


def identifiers(client: "redis.Redis") -> set[int]:
    return {int(each["id"]) for each in client.client_list(_type="normal")}


def test_a_returned_connection_is_used_again(client: "redis.Redis", echo: Callable[..., object]) -> None:
    before = identifiers(client)
    assert [echo(client, str(number)) for number in range(10)] == [b"%d" % number for number in range(10)]
    assert identifiers(client) == before


def test_each_thread_gets_its_own_replies(client: "redis.Redis", echo: Callable[..., object]) -> None:
    def ask(thread: int) -> list[object]:
        return [echo(client, f"{thread} {number}") for number in range(200)]

    with ThreadPoolExecutor(THREADS) as pool:
        replies = list(pool.map(ask, range(THREADS)))
    assert replies == [[b"%d %d" % (thread, number) for number in range(200)] for thread in range(THREADS)]
    assert len(identifiers(client)) <= THREADS + 1


def test_a_connection_that_the_server_has_closed_is_not_used(
    client: "redis.Redis", redis_url: str, echo: Callable[..., object]
) -> None:
    echo(client, "one")
    with redis.Redis.from_url(redis_url) as other:
        other.client_kill_filter(_type="normal", skipme=True)
    assert echo(client, "two") == b"two"


def test_a_connection_with_a_reply_that_was_not_read_is_not_used(
    client: "redis.Redis", echo: Callable[..., object]
) -> None:
    connection: Any = client.connection_pool.get_connection()
    connection.send_command("ECHO", "of an interrupted call")
    assert connection.can_read(timeout=60)
    client.connection_pool.release(connection)
    assert echo(client, "two") == b"two"


def test_a_forked_process_uses_connections_of_its_own(client: "redis.Redis", echo: Callable[..., object]) -> None:
    before = client.client_id()
    child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if client.client_id() != before and echo(client, "child") == b"child" else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert echo(client, "parent") == b"parent"
    assert client.client_id() == before


def test_a_call_that_failed_leaves_no_connection_behind(client: "redis.Redis") -> None:
    before = len(identifiers(client))
    for _ in range(3):
        with pytest.raises(redis.ResponseError):
            call(client, "ECHO")
    assert call(client, "ECHO", "x") == b"x"
    assert len(identifiers(client)) == before


def test_a_connection_to_a_demoted_server_is_not_used_again(client: "redis.Redis", redis_url: str) -> None:
    """A new one may reach the new primary, which has the same name."""
    before = client.client_id()
    with redis.Redis.from_url(redis_url) as other:
        other.replicaof("127.0.0.1", "1")
        try:
            with pytest.raises(redis.ResponseError, match="replica"):
                call(client, "EVAL", "return redis.call('SET', KEYS[1], 1)", 1, "key")
        finally:
            other.replicaof("NO", "ONE")
    assert client.client_id() != before


def test_the_reply_of_an_interrupted_call_reaches_no_other(
    client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes after the connection is taken again."""
    connection: Any = client.connection_pool.get_connection()
    client.connection_pool.release(connection)

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(connection, "read_response", interrupt)
    with pytest.raises(KeyboardInterrupt):
        call(client, "BLPOP", "nothing", "0.2")
    monkeypatch.undo()
    assert call(client, "ECHO", "two") == b"two"


def test_nothing_stays_open_when_the_client_is_closed(redis_url: str, client: "redis.Redis") -> None:
    with connect(redis_url) as other:
        own = {other.client_id()}
        assert own <= identifiers(client)
    until(lambda: not own & identifiers(client), "the server to notice")
