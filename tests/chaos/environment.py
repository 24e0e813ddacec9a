"""Where the faults happen: real producers, workers, Redis, the sandbox, and the lines between them.

    producers ──proxy── Redis ──proxy── workers ──proxy── sandbox

Windows and leases are short, so that minutes see many of them.
"""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lanes.errors import LanesError
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.processes import Child
from ops.embedded.redis_server import CONFIGURATION, RedisServer
from ops.embedded.stack import Stack
from ops.sandbox import SandboxControl
from tests.chaos import journal
from tests.chaos.duplicating_proxy import DuplicatingProxy
from tests.chaos.job_states import JobStates
from tests.chaos.journal import AcceptedJob, recent
from tests.chaos.outcomes import SERVICE, add_service
from tests.chaos.small_disk import mounted
from tests.chaos.traffic import PIPELINE
from tests.proxy import Proxy

LIMIT, WINDOW = 20, 1.0
LEASE, HTTP_TIMEOUT = 5.0, 3.0
THREADS = 8
WORKERS = ("w1", "w2", "w3")
PRODUCERS = ("p1", "p2")
RATE = 30.0  # rows a second of each producer
ROOT = Path(__file__).parents[2]
CLOCK = Path(__file__).with_name("clock")
SETTLE_SECONDS = 60.0
MAX_REASON_LENGTH = 200
OPTIONS = (
    *("--auto-aof-rewrite-min-size", "8mb"),  # so that long runs do not fill the small disk by themselves
    *("--enable-debug-command", "local"),  # to fill it quickly
)
RECENT = 150  # jobs of each producer that are looked at to see who delivers

SETTINGS: dict[str, object] = {
    "burst_limit": LIMIT,
    "burst_window_seconds": WINDOW,
    "lease_seconds": LEASE,
    "http_timeout_seconds": HTTP_TIMEOUT,
    "backoff_base_seconds": 0.2,
    "backoff_max_seconds": 1,
    "outage_probe_seconds": 0.2,
    "outage_probe_max_seconds": 1,
    "shift_seconds": 2,
    "shift_threads": THREADS,
    "max_attempts": 1000,
}
# Exits that Celery intends or a bug in kombu causes; a supervisor starts the worker again.
KNOWN_EXIT_CAUSES = (
    "Too many open files",
    # A connection that breaks while a message is not acknowledged, and again while kombu gives that back.
    "'NoneType' object has no attribute 'hostname'",
)


def exit_reason(output: str) -> str:
    """Return why a worker ended, from its output."""
    reasons = [line for line in output.splitlines() if "Unrecoverable" in line or '"critical"' in line]
    return reasons[-1][:MAX_REASON_LENGTH] if reasons else "no reason logged"


class Environment:
    """Everything, from `with` to the end of the block.

    Args:
        folder: data, journals and the output of every process.
        seed: of what the producers enqueue.
        workers, producers: their names.
        small_disk: whether Redis has a disk of its own that can be filled.
        rate: rows a second of each producer.
        settings: `LANES_` settings beside or instead of `SETTINGS`.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        workers: Sequence[str] = WORKERS,
        producers: Sequence[str] = PRODUCERS,
        rate: float = RATE,
        *,
        small_disk: bool = False,
        **settings: object,
    ) -> None:
        texts = {f"LANES_{name.upper()}": str(value) for name, value in {**SETTINGS, **settings}.items()}
        self.folder, self.seed, self.rate = folder, seed, rate
        self.stack = Stack(folder, texts)
        self.workers: dict[str, Child] = {}
        self.producers: dict[str, Child] = {}
        self.ends: list[str] = []
        self.jobs = JobStates()
        self.findings: list[str] = []
        self._leaving: set[str] = set()
        self._names = tuple(workers), tuple(producers)
        self._small_disk = small_disk
        self._closing = contextlib.ExitStack()

    def make_redis(self, name: str) -> RedisServer:
        """Return a server that is not started, with data and a configuration of its own."""
        home = self.folder / name
        if self._small_disk:
            self._servers.enter_context(mounted(home))
        home.mkdir(parents=True, exist_ok=True)
        own = home / "redis.conf"
        if not own.exists():
            shutil.copy(CONFIGURATION, own)
        server = RedisServer(home, options=OPTIONS, configuration=own)
        self._servers.callback(server.stop)
        return server

    def start_empty_redis(self) -> None:
        """Start the Redis, which has no data, with the service of the producers."""
        folder = self.redis.folder
        add_service(RedisServer(folder, options=OPTIONS, configuration=folder / CONFIGURATION.name))
        self.redis.start()

    def __enter__(self) -> Self:
        with self._closing:
            self._servers = self._closing.enter_context(contextlib.ExitStack())
            self.redis = self.stack.redis = self.make_redis("redis")
            self._closing.callback(self._stop)
            self.start_empty_redis()
            latency = ("--latency", "0.05-0.25", "--known-pipeline", PIPELINE)
            self.stack.start_sandbox("--burst-limit", str(LIMIT), "--burst-window", str(WINDOW), *latency)
            self.producers_proxy = self._closing.enter_context(Proxy(self.redis.port))
            self.workers_proxy = self._closing.enter_context(Proxy(self.redis.port))
            self.api_proxy = self._closing.enter_context(DuplicatingProxy(self.stack.sandbox_port))
            self.control = SandboxControl(self.stack.sandbox_url)
            for name in self._names[0]:
                self.spawn_worker(name)
            self.settle()
            for name in self._names[1]:
                self.start_producer(name)
            self._closing = self._closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def _stop(self) -> None:
        self.stack.redis = self.redis
        for child in self.stack.children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGCONT)  # one that is stopped could not end
        self.stack.stop()

    # The parts.

    @property
    def client(self) -> "redis.Redis":
        """A client that bypasses the proxies and does not retry."""
        return connect(self.redis.url, socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def clock_file(self, name: str) -> Path:
        """The file that holds by how many seconds a worker's clock is off."""
        return self.folder / f"{name}.clock"

    def spawn_worker(self, name: str, *options: str) -> None:
        """Start a worker and go on; `settle` waits until it takes tasks."""
        environ = {
            "LANES_REDIS_URL": f"redis://127.0.0.1:{self.workers_proxy.port}/0",
            "LANES_API_BASE_URL": f"http://127.0.0.1:{self.api_proxy.port}",
            "CHAOS_CLOCK": str(self.clock_file(name)),
            "PYTHONPATH": os.pathsep.join(map(str, (CLOCK, ROOT))),
        }
        arguments = ["celery", "-A", "worker", "worker", "--hostname", f"{name}@chaos", "--loglevel", "info"]
        self.workers[name] = self.stack.start(name, [*arguments, "--concurrency", "2", *options], **environ)

    def expect_exit(self, name: str) -> None:
        """Note that a worker was killed or asked to end."""
        self._leaving.add(name)

    def supervise(self, special: str = "", *options: str) -> bool:
        """Start each worker that has ended, as a supervisor would; return whether all take tasks.

        `special` is started with these options.
        """
        for name, child in list(self.workers.items()):
            if child.status is not None:
                if name not in self._leaving:
                    self.ends.append(f"{name} ended (status {child.status}): {exit_reason(child.output)}")
                self._leaving.discard(name)
                child.kill()  # what it may have left
                self.stack.children.remove(child)
                self.spawn_worker(name, *(options if name == special else ()))
        return all(name not in self._leaving and " ready." in child.output for name, child in self.workers.items())

    def unexpected_exits(self) -> list[str]:
        """Return a line for each worker that ended without being asked to, and without a known cause."""
        return [f"died: {end}" for end in self.ends if not any(reason in end for reason in KNOWN_EXIT_CAUSES)]

    def settle(self, special: str = "", *options: str) -> None:
        """Supervise until all workers take tasks.

        Raises:
            EnvironmentFailedError: they do not within a minute.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while not self.supervise(special, *options):
            if time.monotonic() > deadline:
                tails = "\n".join(f"{name}: {child.tail(5)}" for name, child in self.workers.items())
                message = f"not all workers take tasks after {SETTLE_SECONDS:g} s:\n{tails}"
                raise EnvironmentFailedError(message)
            time.sleep(0.05)

    def start_producer(self, name: str) -> None:
        """Start a producer, or start it again on its journal."""
        arguments = ["tests.chaos.producer", str(self.journal(name)), str(self.seed), name, str(self.rate)]
        redis_url = f"redis://127.0.0.1:{self.producers_proxy.port}/0"
        environ = {"LANES_REDIS_URL": redis_url, "LANES_SERVICE": SERVICE, "PYTHONPATH": str(ROOT)}
        self.producers[name] = self.stack.start(name, arguments, **environ)

    def stop_producers(self, seconds: float = 60) -> None:
        """Let each producer finish what it is at.

        Raises:
            EnvironmentFailedError: one does not end.
        """
        for child in self.producers.values():
            child.ask_to_end()
        for name, child in self.producers.items():
            if child.wait(seconds) != 0:
                message = f"producer {name} did not end in good order (status {child.status}):\n{child.tail()}"
                raise EnvironmentFailedError(message)

    def journal(self, name: str) -> Path:
        """The file in which a producer notes its accepted jobs."""
        return self.folder / f"{name}.journal"

    @property
    def journals(self) -> list[Path]:
        """The journals of all producers."""
        return [self.journal(name) for name in self._names[1]]

    def switch_redis(self, server: RedisServer) -> None:
        """Use this Redis from now on: the proxies lead to it, as a service address would."""
        self.redis = self.stack.redis = server
        for line in (self.producers_proxy, self.workers_proxy):
            line.to = server.port
            line.cut()

    # What happens in it.

    def accepted_jobs(self) -> Sequence[AcceptedJob]:
        """Return what the producers know to be accepted."""
        return journal.read(self.journals).accepted_jobs

    @property
    def usual_rate(self) -> float:
        """Rows per second while no fault is in force."""
        return self.rate * len(self.producers)

    def delivered(self) -> int:
        """Return the lanes' count of delivered jobs; -1 while Redis is unavailable."""
        try:
            with self.client as client:
                return LaneStore(client).counts()["delivered"]
        except (LanesError, redis.RedisError, OSError):
            return -1

    def workers_at_work(self, since: float) -> set[str]:
        """Return the workers that delivered something since then (seconds since the epoch), by the newest jobs."""
        ids = [job_id for path in self.journals for job_id in recent(path, RECENT)]
        try:
            with self.client as client:
                jobs = LaneStore(client).read_jobs(ids)
        except (LanesError, redis.RedisError, OSError):
            return set()
        return {
            str(attempt.detail.get("worker", "")).partition("@")[0]
            for job in jobs
            if job
            for attempt in job.attempts
            if attempt.outcome == "delivered" and attempt.ended_at >= since
        }


class EnvironmentFailedError(LanesError):
    """A part of the environment failed without a fault in force."""
