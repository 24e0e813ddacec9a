"""The pool of connections to Redis. That of redis-py spends more time on taking and returning one than on a command."""

import os
import threading
from collections.abc import Generator, Iterable, Sequence
from typing import Any

import redis
from redis import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from lanes.storage.redis_errors import is_demoted


class LeanPool(ConnectionPool):
    """A pool that keeps returned connections in a list, without locks and metrics. Thread-safe, and safe after a fork.

    Opening, closing and counting connections is left to redis-py, to which those in the list are in use.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._idle: list[Any] = []

    def get_connection(self, *_: Any, **__: Any) -> Any:
        """Return a connection that is open and has nothing to read."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if connection.pid == os.getpid() and _is_usable(connection):
                return connection
            connection.disconnect()
            super().release(connection)
        return super().get_connection()

    def release(self, connection: Any) -> None:
        """Take a connection back."""
        self._idle.append(connection)


class SharedPool(LeanPool):
    """A pool of `max_connections`. A thread waits until one is free, at most for the timeout of a reply.

    Raises:
        redis.ConnectionError: none was free in time.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._free = threading.Semaphore(self.max_connections)

    def get_connection(self, *_: Any, **__: Any) -> Any:
        """Return a connection that is open and has nothing to read."""
        if not self._free.acquire(timeout=self.connection_kwargs.get("socket_timeout")):
            raise RedisConnectionError("no connection to Redis was free in time")
        try:
            return super().get_connection()
        except BaseException:
            self._free.release()
            raise

    def release(self, connection: Any) -> None:
        """Take a connection back."""
        super().release(connection)
        self._free.release()


def _is_usable(connection: Any) -> bool:
    """Return whether a connection is still open, and nothing came since its last reply."""
    try:
        return not connection.can_read() and not connection.should_reconnect()
    except RedisConnectionError:
        return False


def call(client: "redis.Redis", *command: Any) -> Any:
    """Run a command and return its reply, as `client.execute_command` does in twice the time.

    Raises:
        redis.RedisError: Redis cannot be reached, or answers with an error.
    """
    pool: Any = client.connection_pool
    connection = pool.get_connection()

    def round_trip() -> Any:
        connection.send_packed_command(connection.pack_command(*command))
        return connection.read_response()

    try:
        return connection.retry.call_with_retry(round_trip, lambda _: connection.disconnect())
    except ResponseError as error:
        if is_demoted(error):
            connection.disconnect()
        raise
    except BaseException:  # between sending and reading, too: the reply may still come
        connection.disconnect()
        raise
    finally:
        pool.release(connection)


def call_ahead(client: "redis.Redis", commands: Iterable[Sequence[Any]]) -> Generator[Any, None, None]:
    """Yield the reply to each command. Redis works on the next command while the caller uses a reply. None is repeated.

    Only one is sent ahead: between two commands, Redis serves other clients.

    Raises:
        redis.RedisError: Redis cannot be reached, or answers with an error.
    """
    pool: Any = client.connection_pool
    connection = pool.get_connection()
    waiting = 0
    try:
        for command in commands:
            # A health check in between would take the reply for its own.
            connection.send_packed_command(connection.pack_command(*command), check_health=not waiting)
            waiting += 1
            if waiting > 1:
                reply = connection.read_response()
                waiting -= 1
                yield reply
        while waiting:
            reply = connection.read_response()
            waiting -= 1
            yield reply
    finally:
        if waiting:
            connection.disconnect()
        pool.release(connection)
