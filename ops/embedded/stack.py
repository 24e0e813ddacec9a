"""All processes of the queue on this machine, for `lanes demo`, `lanes up` and tests."""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from lanes.errors import LanesError
from lanes.retry_loop import RetryLoop
from lanes.settings import WorkerSettings
from lanes.settings.environment import PREFIX
from ops.embedded.processes import STOP_SECONDS, Child
from ops.embedded.redis_server import RedisServer, free_port

READY_SECONDS = 60.0
TOKEN = "sandbox-token"  # noqa: S105 - valid in the sandbox only


class StackError(LanesError):
    """A process did not start, or ended unexpectedly; the message has the end of its output."""


@dataclass
class Stack:
    """The processes, each with its log file in `folder`. Stops what it started, in reverse order.

    Args:
        folder: data and logs; the data of Redis survive if the folder is used again.
        settings: further `LANES_` settings for every process.
        redis_port: 0 for any free one, like the other ports.
    """

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    redis_port: int = 0
    sandbox_port: int = 0
    flower_port: int = 0
    gateway_port: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.redis = RedisServer(self.folder / "redis", self.redis_port)
        self.sandbox_port = self.sandbox_port or free_port()
        self.flower_port = self.flower_port or free_port()
        self.gateway_port = self.gateway_port or free_port()
        self.children: list[Child] = []

    @property
    def sandbox_url(self) -> str:
        """The URL of the sandbox."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def flower_url(self) -> str:
        """The URL of Flower."""
        return f"http://127.0.0.1:{self.flower_port}"

    @property
    def gateway_url(self) -> str:
        """The URL of the gateway."""
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of every process: that of this one, with only these settings."""
        prefixes = (PREFIX, "CELERY_", "FLOWER_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
        own = {"LANES_REDIS_URL": self.redis.url, "LANES_API_BASE_URL": self.sandbox_url, "LANES_API_TOKEN": TOKEN}
        return {**kept, **own, **self.settings}

    def load_settings(self) -> WorkerSettings:
        """Return the settings of the processes."""
        return WorkerSettings.load(self.environ, env_file=None)

    def start(self, name: str, arguments: Sequence[str], **environ: str) -> Child:
        """Start `python -m ...` in the folder, so that it reads no `.env` of the current directory."""
        command = [sys.executable, "-m", *arguments]
        log = self.folder / f"{name}.log"
        child = Child(name, command, log, environ={**self.environ, **environ}, folder=self.folder)
        self.children.append(child)
        return child

    def start_redis(self) -> None:
        """Start Redis."""
        self.redis.start()

    def start_sandbox(self, *options: str) -> Child:
        """Start the sandbox and wait until it answers."""
        child = self.start("sandbox", ["ops.sandbox", "--port", str(self.sandbox_port), *options])
        self.until(lambda: _answers(f"{self.sandbox_url}/_sandbox/health"), child)
        return child

    def start_worker(self, name: str = "worker", *options: str, **environ: str) -> Child:
        """Start a Celery worker and wait until it is ready; `environ` is for this worker only."""
        hostname = f"{name}@%h"
        command = ["celery", "-A", "worker", "worker", "--hostname", hostname, "--loglevel", "info", *options]
        child = self.start(name, command, **environ)
        self.until(lambda: " ready." in child.output, child)
        return child

    def start_flower(self, *options: str) -> Child:
        """Start Flower on 127.0.0.1 and wait until it answers."""
        where = ["--address=127.0.0.1", f"--port={self.flower_port}"]
        child = self.start("flower", ["celery", "-A", "worker", "flower", *where, *options])
        self.until(lambda: _answers(f"{self.flower_url}/healthcheck"), child)
        return child

    def start_dashboard(self, *options: str, prefix: str = "") -> Child:
        """Start `lanes dashboard` and wait until it answers; `prefix` is Flower's `url_prefix`, like `/flower`."""
        child = self.start("dashboard", ["ops.command", "dashboard", f"--port={self.flower_port}", *options])
        self.until(lambda: _answers(f"{self.flower_url}{prefix}/healthcheck"), child)
        return child

    def start_gateway(self, *options: str, **environ: str) -> Child:
        """Start `lanes gateway` and wait until it answers; `environ` is for this process only."""
        child = self.start("gateway", ["ops.command", "gateway", f"--port={self.gateway_port}", *options], **environ)
        self.until(lambda: _answers(f"{self.gateway_url}/healthz"), child)
        return child

    def until(self, ready: Callable[[], bool], *needed: Child) -> None:
        """Wait until `ready` returns True.

        Raises:
            StackError: a needed process ended, or it took too long.
        """
        polls = RetryLoop(0.05, within=READY_SECONDS)
        while not ready():
            self.check(*needed)
            if not polls.sleep():
                names, tails = ", ".join(child.name for child in needed), "\n".join(child.tail() for child in needed)
                raise StackError(f"{names} was not ready within {READY_SECONDS:g} s:\n{tails}")

    def check(self, *needed: Child) -> None:
        """Check that these processes run, by default all.

        Raises:
            StackError: one does not run.
        """
        for child in needed or self.children:
            if child.status is not None:
                raise StackError(f"{child.name} ended with status {child.status}:\n{child.tail()}")
        if not needed and not self.redis.alive:
            raise StackError(f"Redis ended; see {self.redis.folder}")

    def stop(self) -> None:
        """End every process, Redis last; kill those that do not end in time."""
        for child in reversed(self.children):
            child.ask_to_end()
        deadline = time.monotonic() + STOP_SECONDS
        for child in reversed(self.children):
            child.wait(max(0.1, deadline - time.monotonic()))
            child.kill()
        self.children.clear()
        self.redis.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - http, this machine  # nosec B310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
