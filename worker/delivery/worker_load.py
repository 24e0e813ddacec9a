"""How busy a worker is, and what bounds it: its CPU, its sender threads, or nothing of its own."""

import time
from collections.abc import Callable
from typing import Any

from lanes.checks.worker_needs import WorkerNeeds
from lanes.checks.worker_reports import CPU, NOTHING, SENDERS, WorkerReport, write_report
from worker.delivery.context import WorkerContext
from worker.delivery.sender_gauges import ProcessGauges
from worker.safety.machine_limits import shortages

FULL = 0.85  # of a core for each process


class WorkerLoad:
    """Measures and reports the load of a worker, in its main process.

    Args:
        pool: Celery's pool.
        shared: what the worker shares.
        shifts: returns the number of shifts.
    """

    def __init__(self, pool: Any, shared: WorkerContext, shifts: Callable[[], int]) -> None:
        self._pool, self._shared, self._shifts = pool, shared, shifts
        self._is_prefork = "prefork" in type(pool).__module__
        self._measured_at, self._cpu_seconds = time.monotonic(), 0.0
        self.report = self.measure()

    @property
    def processes(self) -> int:
        """How many processes send at a time. One slot is kept for other tasks."""
        return max(1, self._pool.num_processes - 1) if self._is_prefork else 1

    @property
    def threads(self) -> int:
        """The maximum number of sender threads of each of them."""
        return self._shared.settings.shift_threads if self._is_prefork else max(1, self._pool.num_processes - 1)

    def measure(self) -> WorkerReport:
        """Return the load now. The CPU is that since the last measurement."""
        used, now = self._shared.all_gauges.used, time.monotonic()
        seconds = sum(gauges.get("cpu_seconds") for gauges in used)
        cpu = max(0.0, seconds - self._cpu_seconds) / max(now - self._measured_at, 0.001)
        self._measured_at, self._cpu_seconds = now, seconds
        needs = WorkerNeeds(self._pool.num_processes if self._is_prefork else 1, self.threads)
        if self._is_prefork:
            threads, busy = (int(sum(gauges.get(name) for gauges in used)) for name in ("threads", "busy"))
            bound_by = what_bounds(used, self.processes, self.threads, cpu)
        else:
            threads, busy = self.threads, min(self.threads, self._shifts())
            bound_by = SENDERS if busy >= threads and not self._shared.all_gauges.is_waited else NOTHING
        return WorkerReport(
            threads,
            busy,
            self.processes * self.threads,
            round(cpu, 2),
            bound_by,
            needs.redis_connections,
            shortages(needs),
        )

    def step(self) -> None:
        """Measure and report."""
        self.report = self.measure()
        write_report(self._shared.store, self._shared.hostname, self.report)


def what_bounds(used: list[ProcessGauges], processes: int, max_threads: int, cpu: float) -> str:
    """Return what bounds a worker whose pool processes have these gauges and use so many cores. Pure.

    A thread that waits for a job, an idle thread, or a process without work means that the worker could send more.
    """
    sending = [gauges for gauges in used if gauges.get("busy")]
    if len(sending) < processes or any(
        gauges.get("waiting") or gauges.get("busy") < gauges.get("threads") for gauges in sending
    ):
        return NOTHING
    if cpu >= FULL * len(sending) or any(gauges.get("starved") for gauges in sending):
        return CPU
    return SENDERS if all(gauges.get("threads") >= max_threads for gauges in sending) else NOTHING
