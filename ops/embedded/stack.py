"""Everything that the queue consists of, as processes on this machine: for the demo, `lanes up` and the tests."""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from lanes.environment import PREFIX
from lanes.errors import LanesError
from lanes.retry_loop import RetryLoop
from lanes.settings import WorkerSettings
from ops.embedded.processes import STOP_SECONDS, Child
from ops.embedded.redis_server import RedisServer, free_port

READY_SECONDS = 60.0
TOKEN = "sandbox-token"  # noqa: S105 - what the sandbox takes; opens nothing else


class StackError(LanesError):
    """A part did not start, or ended by itself; the message holds the end of its output."""


@dataclass
class Stack:
    """The parts, each with its output in a file in `folder`; stops all that it started, the last one first.

    Args:
        folder: data and output; what is in Redis survives when the same folder is used again.
        settings: `LANES_` settings for every part, beside the addresses, as texts.
        redis_port: 0 for any free one; also for the other ports.
    """

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    redis_port: int = 0
    sandbox_port: int = 0
    flower_port: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.redis = RedisServer(self.folder / "redis", self.redis_port)
        self.sandbox_port = self.sandbox_port or free_port()
        self.flower_port = self.flower_port or free_port()
        self.children: list[Child] = []

    @property
    def sandbox_url(self) -> str:
        """Where the sandbox answers as the API does."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def flower_url(self) -> str:
        """What to open."""
        return f"http://127.0.0.1:{self.flower_port}"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of every part: that of this process, with these settings and no others."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "CELERY_", "FLOWER_"))
        }
        addresses = {
            "LANES_REDIS_URL": self.redis.url,
            "LANES_API_BASE_URL": self.sandbox_url,
            "LANES_API_TOKEN": TOKEN,
        }
        return {**kept, **addresses, **self.settings}

    def load_settings(self) -> WorkerSettings:
        """Return the settings that the parts have."""
        return WorkerSettings.load(self.environ, env_file=None)

    def start(self, name: str, arguments: Sequence[str], **environ: str) -> Child:
        """Start `python -m ...`; away from any `.env` that stands where the command was typed."""
        command = [sys.executable, "-m", *arguments]
        log = self.folder / f"{name}.log"
        child = Child(name, command, log, environ={**self.environ, **environ}, folder=self.folder)
        self.children.append(child)
        return child

    def start_redis(self) -> None:
        """Start Redis on the data of the folder."""
        self.redis.start()

    def start_sandbox(self, *options: str) -> Child:
        """Start the sandbox and wait until it answers."""
        child = self.start("sandbox", ["ops.sandbox", "--port", str(self.sandbox_port), *options])
        self.until(lambda: _answers(f"{self.sandbox_url}/_sandbox/health"), child)
        return child

    def start_worker(self, name: str = "worker", *options: str, **environ: str) -> Child:
        """Start a Celery worker and wait until it takes tasks; `environ` is for this one alone."""
        hostname = f"{name}@%h"
        command = ["celery", "-A", "worker", "worker", "--hostname", hostname, "--loglevel", "info", *options]
        child = self.start(name, command, **environ)
        self.until(lambda: " ready." in child.output, child)
        return child

    def start_flower(self, *options: str) -> Child:
        """Start Flower, open to this machine only, and wait until it answers."""
        where = ["--address=127.0.0.1", f"--port={self.flower_port}"]
        child = self.start("flower", ["celery", "-A", "worker", "flower", *where, *options])
        self.until(lambda: _answers(f"{self.flower_url}/healthcheck"), child)
        return child

    def start_dashboard(self, *options: str, prefix: str = "") -> Child:
        """Start Flower with our pages and wait until it answers; `prefix` is its `url_prefix`, like `/flower`."""
        child = self.start("dashboard", ["ops.command", "dashboard", f"--port={self.flower_port}", *options])
        self.until(lambda: _answers(f"{self.flower_url}{prefix}/healthcheck"), child)
        return child

    def until(self, ready: Callable[[], bool], *needed: Child) -> None:
        """Wait until something is so.

        Raises:
            StackError: a needed part ended, or it took too long.
        """
        looks = RetryLoop(0.05, within=READY_SECONDS)
        while not ready():
            self.check(*needed)
            if not looks.sleep():
                names = ", ".join(child.name for child in needed)
                raise StackError(
                    f"{names} was not ready within {READY_SECONDS:g} s:\n" + "\n".join(c.tail() for c in needed)
                )

    def check(self, *needed: Child) -> None:
        """See that these parts run, by default all of them.

        Raises:
            StackError: one does not.
        """
        for child in needed or self.children:
            if child.status is not None:
                raise StackError(f"{child.name} ended with status {child.status}:\n{child.tail()}")
        if not needed and not self.redis.alive:
            raise StackError(f"Redis ended; see {self.redis.folder}")

    def stop(self) -> None:
        """Ask every part to end, wait for it, kill it if it does not; Redis last."""
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
