"""Runs scripts and reads keys of Redis."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from lanes.errors import RedisUnavailableError, ScriptError
from lanes.storage.keys import DEFAULT_PREFIX, build
from lanes.storage.pool import call, call_ahead
from lanes.storage.redis_errors import (
    UNAVAILABLE,
    WRONG_TYPE,
    explain,
    is_wrong_type,
    own_errors,
    refuses,
    unavailable,
)
from lanes.storage.scripts import Argument, Script, load
from lanes.storage.stored import MICROSECONDS, Note, bytes_of, ignore, text_of
from lanes.storage.usable import add_questions, check_usable

T = TypeVar("T")


def readable(reply: Sequence[Any], prefix: str, note: Note) -> Any:
    """Return the reply of a script with `read_only.lua`; `note` is told the keys of another type."""
    broken, found = reply
    for name in broken:
        note(text_of(name).removeprefix(prefix), WRONG_TYPE)
    return found


def _encoded(arguments: Sequence[Argument]) -> list[Argument]:
    return [bytes_of(each) if isinstance(each, str) else each for each in arguments]


class RedisAccess:
    """Runs the scripts and reads keys, all under one prefix. Thread-safe.

    It takes any bytes and any Redis types: what cannot be read reads as missing, and `unreadable` is told the key and
    the problem.

    Errors: `RedisUnavailableError` if Redis cannot be reached, `ScriptError` if a script fails.
    """

    def __init__(self, client: "redis.Redis", prefix: str = DEFAULT_PREFIX, *, test_clock: bool = False) -> None:
        self.prefix = prefix
        self._declared = build(prefix, "schema")
        self._client = client
        self._checked = False
        self._test_clock = test_clock
        self.unreadable: Note = ignore

    @property
    def client(self) -> "redis.Redis":
        """The connection to Redis. The first use checks the server and the layout of the data."""
        if not self._checked:
            self.check_usable()
        return self._client

    def check_usable(self) -> None:
        """Check that this version can work with the server and its data.

        Raises:
            RedisUnavailableError: it cannot, or Redis cannot be reached.
        """
        with own_errors():
            pipeline = self._client.pipeline(transaction=False)
            add_questions(pipeline, self.key("schema"))
            check_usable(*pipeline.execute(raise_on_error=False))
        self._checked = True

    def key(self, name: str, *values: str) -> str:
        """Return the key called `name` of this store."""
        return build(self.prefix, name, *values)

    def script(self, name: str) -> Script:
        """Return a script, with the clock of this store."""
        return load(name, test_clock=self._test_clock)

    def run(self, name: str, *arguments: Argument) -> Any:
        """Run a script and return its reply."""
        script = self.script(name)
        encoded = _encoded(arguments)
        try:
            try:
                return call(self.client, "EVALSHA", script.sha, 1, self._declared, *encoded)
            except NoScriptError:
                return call(self.client, "EVAL", script.text, 1, self._declared, *encoded)
        except UNAVAILABLE as error:
            raise unavailable(error) from error
        except ResponseError as error:
            raise explain(script, error) from error

    def run_text(self, name: str, *arguments: Argument) -> str:
        """Run a script that returns text."""
        return text_of(self.run(name, *arguments))

    def run_reader(self, name: str, *arguments: Argument) -> Any:
        """Run a script with `read_only.lua` and return its reply."""
        return readable(self.run(name, *arguments), self.prefix, self.unreadable)

    def run_readers(self, name: str, calls: Sequence[Sequence[Argument]]) -> Iterator[Any]:
        """Run a script with `read_only.lua` for each call, and yield its reply while Redis works on the next.

        What fails is run again, alone: it may be due to the connection.
        """
        first, rest = calls[:1], calls[1:]
        for arguments in first:  # brings the script along if Redis does not have it
            yield self.run_reader(name, *arguments)
        script, answered = self.script(name), 0
        commands = (("EVALSHA", script.sha, 1, self._declared, *_encoded(arguments)) for arguments in rest)
        try:
            for reply in call_ahead(self.client, commands):
                answered += 1
                yield readable(reply, self.prefix, self.unreadable)
        except RedisError:
            for arguments in rest[answered:]:
                yield self.run_reader(name, *arguments)

    def run_many(self, name: str, calls: Iterable[Sequence[Argument]]) -> list[Any]:
        """Run a script many times in one round trip. Each call is atomic. A call that fails has its `ScriptError`.

        Raises:
            RedisUnavailableError: calls may have been executed.
        """
        script = self.script(name)
        pipeline = self.client.pipeline(transaction=False)
        pipeline.script_load(script.text)
        for arguments in calls:
            pipeline.evalsha(script.sha, 1, self._declared, *_encoded(arguments))
        try:
            replies = pipeline.execute(raise_on_error=False)[1:]
        except UNAVAILABLE as error:
            raise unavailable(error) from error
        found = [explain(script, reply) if isinstance(reply, ResponseError) else reply for reply in replies]
        for each in found:
            if isinstance(each, RedisUnavailableError):
                raise each
        return found

    def read(self, ask: Callable[["redis.Redis"], Any]) -> Any:
        """Call the client; its errors are raised as those of this package."""
        with own_errors():
            return ask(self.client)

    def info(self) -> dict[str, Any]:
        """Return the reply to INFO."""
        return dict(self.read(lambda client: client.info()))

    def read_keys(self, missing: T, keys: Sequence[str], ask: Callable[[Any, bytes], object]) -> list[T]:
        """Read keys in one round trip; `ask` calls the client for one. A key of another type reads as `missing`."""

        def read(client: "redis.Redis") -> list[Any]:
            pipeline = client.pipeline(transaction=False)
            for key in keys:
                ask(pipeline, bytes_of(key))
            return pipeline.execute(raise_on_error=False)

        found: list[T] = []
        for key, reply in zip(keys, self.read(read), strict=True):
            if isinstance(reply, ResponseError):
                if not is_wrong_type(reply):
                    raise refuses(reply) or ScriptError(str(reply)) from reply
                self.unreadable(key.removeprefix(self.prefix), WRONG_TYPE)
            found.append(missing if isinstance(reply, ResponseError) else reply)
        return found

    def read_key(self, missing: T, key: str, ask: Callable[[Any, bytes], object]) -> T:
        """Read one key as `read_keys` does."""
        return self.read_keys(missing, [key], ask)[0]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def time(self) -> float:
        """Return the time of Redis in seconds since the epoch."""
        seconds, micros = self.read(lambda client: client.time())
        return float(seconds + micros / MICROSECONDS)

    def read_hash(self, name: str, *values: str) -> dict[bytes, bytes]:
        """Return the fields of a hash."""
        missing: dict[bytes, bytes] = {}
        return self.read_key(missing, self.key(name, *values), lambda client, key: client.hgetall(key))
