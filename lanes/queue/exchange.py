"""Round trips to Redis, each over one connection and with a deadline. None is repeated.

Each command is sent before the next is made, so that Redis can begin with it.

The `redis` package does not report whether a failed call was sent, and takes no deadline for a call.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import redis.asyncio
from redis.exceptions import ResponseError

from lanes.queue.enqueueing import EnqueueExchange, EnqueueResults
from lanes.storage.durability import Command
from lanes.storage.redis_errors import UNAVAILABLE, is_demoted, refuses, unavailable
from lanes.storage.scripts import Argument

MIN_SECONDS = 0.001


def run_exchange(client: "redis.Redis", exchange: EnqueueExchange, seconds: float) -> EnqueueResults:
    """Run an exchange within some seconds, after connecting.

    Raises:
        RedisUnavailableError: Redis cannot be reached; `may_be_done`: it may have executed the commands.
    """
    deadline = time.monotonic() + seconds
    commands = next(exchange)
    while True:
        try:
            commands = exchange.send(_round_trip(client, commands, deadline))
        except StopIteration as end:
            return list(end.value)


def _round_trip(client: "redis.Redis", commands: Iterable[Command], deadline: float) -> list[Any]:
    pool: Any = client.connection_pool
    connection = None
    is_usable = demoted = False
    names: list[Argument] = []
    replies: list[Any] = []
    try:
        connection = pool.get_connection()
        for command in commands:
            names.append(command[0])
            connection.send_packed_command(connection.pack_command(*command))
        usual = connection.socket_timeout
        for name in names:
            try:
                seconds = _reply_timeout(name, usual, deadline)
                if seconds == usual:  # another one takes two more system calls
                    replies.append(connection.read_response())
                else:
                    replies.append(connection.read_response(timeout=seconds))
            except ResponseError as error:
                replies.append(error)
                demoted = demoted or is_demoted(error)
        is_usable = not demoted
    except UNAVAILABLE as error:
        raise unavailable(error, sent=bool(names)) from error
    except ResponseError as error:  # to the handshake, or to the PING of an idle connection
        raise (refuses(error) or unavailable(error)) from error
    finally:
        if connection is not None:
            if not is_usable:
                connection.disconnect()
            pool.release(connection)
    return replies


async def run_exchange_async(
    client: "redis.asyncio.Redis", exchange: EnqueueExchange, seconds: float
) -> EnqueueResults:
    """`run_exchange` in an event loop; the time includes connecting."""
    deadline = time.monotonic() + seconds
    commands = next(exchange)
    while True:
        try:
            commands = exchange.send(await _round_trip_async(client, commands, deadline))
        except StopIteration as end:
            return list(end.value)


async def _round_trip_async(client: "redis.asyncio.Redis", commands: Iterable[Command], deadline: float) -> list[Any]:
    pool: Any = client.connection_pool
    connection = None
    is_usable = False
    names: list[Argument] = []
    replies: list[Any] = []
    try:
        async with asyncio.timeout(max(MIN_SECONDS, deadline - time.monotonic())):
            connection = await pool.get_connection()
            for command in commands:
                names.append(command[0])
                await connection.send_packed_command(connection.pack_command(*command))
                await asyncio.sleep(0)  # making the next command may take a moment: other tasks go first
            usual = connection.socket_timeout
            for name in names:
                replies.append(await _read_reply(connection, _reply_timeout(name, usual, deadline)))  # noqa: PERF401
            is_usable = not any(isinstance(reply, ResponseError) and is_demoted(reply) for reply in replies)
    except UNAVAILABLE as error:
        raise unavailable(error, sent=bool(names)) from error
    except ResponseError as error:
        raise (refuses(error) or unavailable(error)) from error
    except TimeoutError as error:
        raise unavailable(redis.TimeoutError("Timeout: no answer in time"), sent=bool(names)) from error
    finally:
        if connection is not None:
            if not is_usable:
                await connection.disconnect(nowait=True)
            await pool.release(connection)
    return replies


async def _read_reply(connection: Any, seconds: float) -> Any:
    try:
        reply = await connection.read_response(timeout=seconds)
    except ResponseError as error:
        return error
    if reply is None:  # no reply yet: none of our commands returns nil
        raise TimeoutError
    return reply


def _reply_timeout(name: Argument, usual: float | None, deadline: float) -> float:
    """Return the timeout of a reply: the client's usual one, or for WAIT and WAITAOF the time until the deadline."""
    left = deadline - time.monotonic()
    if usual is not None and left > usual and name not in ("WAIT", "WAITAOF"):
        return usual
    return max(MIN_SECONDS, left)
