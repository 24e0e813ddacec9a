"""Faults of workers and producers."""

import os
import resource
import signal
import time
from pathlib import Path

from ops.embedded.processes import Child
from ops.sandbox import Fault as ApiFault
from ops.sandbox import FaultKind
from tests.chaos.environment import Environment
from tests.chaos.fault import BEYOND_A_LEASE, REQUESTS_PER_WORKER, Fault, NotInjectedError

HOURS = 3600.0
FEW_FILES = 4  # fewer than it has open


def children_of(pid: int) -> list[int]:
    """Return the processes that this one started and that still run."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [int(child) for child in found.split()]


class WorkerFault(Fault):
    """A fault of one worker."""

    targets = frozenset({"workers"})

    def victim(self, environment: Environment) -> Child:
        """Choose the worker."""
        self.who = self.chance.choice(sorted(environment.workers))
        return environment.workers[self.who]

    def end(self, environment: Environment) -> None:
        """There is nothing to undo: ended workers are started again after the round."""


class WorkerKilled(WorkerFault):
    """SIGKILL of all its processes at once, like a crash of its machine."""

    name = "worker killed"
    repeats = REQUESTS_PER_WORKER
    min_seconds, max_seconds = 0.1, 3

    def begin(self, environment: Environment) -> None:
        self.victim(environment).kill()
        environment.expect_exit(self.who)


class ProcessKilled(WorkerFault):
    """SIGKILL of the process that sends; its worker goes on and must detect it."""

    name = "process of a worker killed"
    repeats = REQUESTS_PER_WORKER
    min_seconds, max_seconds = 0.1, 1

    def begin(self, environment: Environment) -> None:
        processes = children_of(self.victim(environment).pid)
        if not processes:
            message = f"worker {self.who} has no child process"
            raise NotInjectedError(message)
        os.kill(self.chance.choice(processes), signal.SIGKILL)


class WorkerPaused(WorkerFault):
    """SIGSTOP for longer than a lease, then SIGCONT: its jobs are reclaimed, and it goes on unaware of it."""

    name = "worker paused beyond a lease"
    repeats = REQUESTS_PER_WORKER
    min_seconds, max_seconds = BEYOND_A_LEASE, BEYOND_A_LEASE + 2

    def begin(self, environment: Environment) -> None:
        os.killpg(self.victim(environment).pid, signal.SIGSTOP)

    def end(self, environment: Environment) -> None:
        os.killpg(environment.workers[self.who].pid, signal.SIGCONT)


class WorkerStopped(WorkerFault):
    """SIGTERM: it finishes its open requests, and no request is sent twice."""

    name = "worker stopped"
    min_seconds, max_seconds = 0.1, 1

    def begin(self, environment: Environment) -> None:
        self.victim(environment).ask_to_end()
        environment.expect_exit(self.who)


class WorkerStoppedTwice(WorkerStopped):
    """SIGTERM, then SIGQUIT before it has finished: it exits at once."""

    name = "worker stopped, then at once"
    repeats = REQUESTS_PER_WORKER

    def begin(self, environment: Environment) -> None:
        super().begin(environment)
        time.sleep(self.chance.uniform(0, 0.3))
        child = environment.workers[self.who]
        if child.status is None:
            os.kill(child.pid, signal.SIGQUIT)


class WorkerStoppedHanging(WorkerStopped):
    """SIGTERM while every request hangs."""

    name = "worker stopped while requests hang"
    targets = frozenset({"workers", "API"})
    repeats = None
    min_seconds, max_seconds = 1, 2

    def begin(self, environment: Environment) -> None:
        environment.control.inject(ApiFault(kind=FaultKind.TIMEOUT))
        time.sleep(0.5)
        super().begin(environment)

    def end(self, environment: Environment) -> None:
        environment.control.clear_faults()


class ClockJumped(WorkerFault):
    """The clocks of all workers jump by different hours, and back."""

    name = "clocks of workers jumped by hours"
    min_seconds, max_seconds = 2, 4

    def begin(self, environment: Environment) -> None:
        for name in sorted(environment.workers):
            environment.clock_file(name).write_text(f"{self.chance.uniform(-12, 12) * HOURS:.0f}", "ascii")

    def end(self, environment: Environment) -> None:
        for name in environment.workers:
            environment.clock_file(name).write_text("0", "ascii")


class TooManyFiles(WorkerFault):
    """The processes of a worker cannot open files or connections, and their connections are cut."""

    name = "too many open files"
    repeats = None

    def begin(self, environment: Environment) -> None:
        self._before: dict[int, tuple[int, int]] = {}
        worker = self.victim(environment)
        try:
            for pid in (worker.pid, *children_of(worker.pid)):
                self._before[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEW_FILES, self._before[pid][1]))
        except OSError:
            self.end(environment)
            raise
        environment.workers_proxy.cut()
        environment.api_proxy.cut()

    def end(self, environment: Environment) -> None:  # noqa: ARG002 - as every fault
        for pid, before in self._before.items():
            if Path(f"/proc/{pid}").exists():
                resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


class MemoryGrows(WorkerFault):
    """A worker whose processes exceed their memory limit after each shift, and are replaced."""

    name = "worker over its memory"
    targets = frozenset({"workers", "Redis", "lines", "API", "answers"})  # a worker is stopped and started for it
    min_seconds, max_seconds = 4, 6

    def begin(self, environment: Environment) -> None:
        self._stop(environment, self.victim(environment))
        environment.settle(self.who, "--max-memory-per-child", "1000")

    def end(self, environment: Environment) -> None:
        self._stop(environment, environment.workers[self.who])

    def _stop(self, environment: Environment, child: Child) -> None:
        child.ask_to_end()
        environment.expect_exit(self.who)


class ProducerKilled(Fault):
    """SIGKILL of a producer; started again, it repeats every enqueue without an answer in its journal."""

    name = "producer killed"
    targets = frozenset({"producers"})
    min_seconds, max_seconds = 0.1, 1.0

    def begin(self, environment: Environment) -> None:
        self.who = self.chance.choice(sorted(environment.producers))
        environment.producers[self.who].kill()

    def end(self, environment: Environment) -> None:
        environment.stack.children.remove(environment.producers[self.who])
        environment.start_producer(self.who)


WORKER_FAULTS: tuple[type[Fault], ...] = (
    WorkerKilled,
    ProcessKilled,
    WorkerPaused,
    WorkerStopped,
    WorkerStoppedTwice,
    WorkerStoppedHanging,
    ClockJumped,
    TooManyFiles,
    MemoryGrows,
    ProducerKilled,
)
