"""What befalls workers and producers."""

import os
import resource
import signal
import time
from pathlib import Path

from ops.processes import Child
from tests.chaos.fault import BEYOND_A_LEASE, HANDS, Fault
from tests.chaos.scene import Scene
from worker.highlevel.sandbox import Fault as ApiFault
from worker.highlevel.sandbox import FaultKind

HOURS = 3600.0
FEW_FILES = 4  # fewer than it has open


def children_of(pid: int) -> list[int]:
    """Return the processes that this one started and that still run."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [int(child) for child in found.split()]


class WorkerFault(Fault):
    """Befalls one worker."""

    places = frozenset({"workers"})

    def victim(self, scene: Scene) -> Child:
        """Choose whom it befalls."""
        self.who = self.chance.choice(sorted(scene.workers))
        return scene.workers[self.who]

    def end(self, scene: Scene) -> None:
        """Nothing is to be undone: what has ended is started again when all faults are over."""


class WorkerKilled(WorkerFault):
    """SIGKILL: all its processes at once, as a crash of its machine."""

    name = "worker killed"
    repeats = HANDS
    least, most = 0.1, 3

    def begin(self, scene: Scene) -> None:
        self.victim(scene).kill()
        scene.expect_end(self.who)


class ProcessKilled(WorkerFault):
    """SIGKILL of the process that sends; its worker lives and has to notice."""

    name = "process of a worker killed"
    repeats = HANDS
    least, most = 0.1, 1

    def begin(self, scene: Scene) -> None:
        processes = children_of(self.victim(scene).pid)
        if processes:
            os.kill(self.chance.choice(processes), signal.SIGKILL)


class WorkerPaused(WorkerFault):
    """SIGSTOP for longer than a lease, then SIGCONT: its jobs are taken back, and it goes on as if nothing was."""

    name = "worker paused beyond a lease"
    repeats = HANDS
    least, most = BEYOND_A_LEASE, BEYOND_A_LEASE + 2

    def begin(self, scene: Scene) -> None:
        os.killpg(self.victim(scene).pid, signal.SIGSTOP)

    def end(self, scene: Scene) -> None:
        os.killpg(scene.workers[self.who].pid, signal.SIGCONT)


class WorkerStopped(WorkerFault):
    """SIGTERM: it finishes what it has in hand and nothing is sent twice."""

    name = "worker stopped"
    least, most = 0.1, 1

    def begin(self, scene: Scene) -> None:
        self.victim(scene).ask_to_end()
        scene.expect_end(self.who)


class WorkerStoppedTwice(WorkerStopped):
    """SIGTERM, and SIGQUIT before it is done: it ends at once."""

    name = "worker stopped, then at once"
    repeats = HANDS

    def begin(self, scene: Scene) -> None:
        super().begin(scene)
        time.sleep(self.chance.uniform(0, 0.3))
        child = scene.workers[self.who]
        if child.status is None:
            os.kill(child.pid, signal.SIGQUIT)


class WorkerStoppedHanging(WorkerStopped):
    """SIGTERM while every request hangs."""

    name = "worker stopped while requests hang"
    places = frozenset({"workers", "API"})
    repeats = None
    least, most = 1, 2

    def begin(self, scene: Scene) -> None:
        scene.control.fail(ApiFault(kind=FaultKind.TIMEOUT))
        time.sleep(0.5)
        super().begin(scene)

    def end(self, scene: Scene) -> None:
        scene.control.clear_faults()


class ClockJumped(WorkerFault):
    """The clocks of all workers jump by hours, each its own way; and back."""

    name = "clocks of workers jumped by hours"
    least, most = 2, 4

    def begin(self, scene: Scene) -> None:
        for name in sorted(scene.workers):
            scene.clock_file(name).write_text(f"{self.chance.uniform(-12, 12) * HOURS:.0f}", "ascii")

    def end(self, scene: Scene) -> None:
        for name in scene.workers:
            scene.clock_file(name).write_text("0", "ascii")


class TooManyFiles(WorkerFault):
    """No process of a worker may open another file or connection, and those that it has are cut."""

    name = "too many open files"
    repeats = None

    def begin(self, scene: Scene) -> None:
        self._before: dict[int, tuple[int, int]] = {}
        worker = self.victim(scene)
        for pid in (worker.pid, *children_of(worker.pid)):
            self._before[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (FEW_FILES, self._before[pid][1]))
        scene.workers_line.cut()
        scene.api_line.cut()

    def end(self, scene: Scene) -> None:  # noqa: ARG002 - as every fault
        for pid, before in self._before.items():
            if Path(f"/proc/{pid}").exists():
                resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


class MemoryGrows(WorkerFault):
    """A worker whose processes are over their memory after each shift, and are replaced."""

    name = "worker over its memory"
    places = frozenset({"workers", "Redis", "lines", "API", "answers"})  # a worker is stopped and started for it
    least, most = 4, 6

    def begin(self, scene: Scene) -> None:
        self._stop(scene, self.victim(scene))
        scene.settle(self.who, "--max-memory-per-child", "1000")

    def end(self, scene: Scene) -> None:
        self._stop(scene, scene.workers[self.who])

    def _stop(self, scene: Scene, child: Child) -> None:
        child.ask_to_end()
        scene.expect_end(self.who)


class ProducerKilled(Fault):
    """SIGKILL of a producer, wherever it is; started again, it enqueues anew what it has no word for in its journal."""

    name = "producer killed"
    places = frozenset({"producers"})
    least, most = 0.1, 1.0

    def begin(self, scene: Scene) -> None:
        self.who = self.chance.choice(sorted(scene.producers))
        scene.producers[self.who].kill()

    def end(self, scene: Scene) -> None:
        scene.stack.children.remove(scene.producers[self.who])
        scene.start_producer(self.who)


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
