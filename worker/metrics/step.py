"""The metrics of a worker, and their server in its main process."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector

from lanes.checks.worker_reports import CPU, NOTHING, SENDERS
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from worker.delivery.context import WorkerContext
from worker.delivery.shift_tracker import ShiftTracker
from worker.delivery.worker_load import WorkerLoad
from worker.highlevel.client import own_version
from worker.logging.unreadable import log_unreadable
from worker.metrics.catalogue import WORKER_METRICS
from worker.metrics.collector import register
from worker.metrics.samples import CatalogueCollector, Sample, loops_collector
from worker.metrics.server import MetricsServer
from worker.safety.supervisor import LoopFailures

log = structlog.get_logger()

ALL_METRICS_PATH, WORKER_METRICS_PATH = "/metrics", "/metrics/worker"
WAIT_SECONDS = 2.0  # each request has its own thread


def worker_samples(pool: Any, shift_tracker: ShiftTracker, shared: WorkerContext, load: WorkerLoad) -> Iterator[Sample]:
    """Return the metrics of this worker."""
    yield Sample("lanes_worker_info", 1, (shared.hostname, own_version()))
    yield Sample("lanes_worker_slots", pool.num_processes)
    yield Sample("lanes_worker_shifts", shift_tracker.shifts)
    yield Sample("lanes_worker_shifts_started_total", shift_tracker.accepted)
    report = load.report
    yield Sample("lanes_worker_senders", report.threads)
    yield Sample("lanes_worker_senders_busy", report.busy)
    yield Sample("lanes_worker_senders_max", report.max_threads)
    yield Sample("lanes_worker_cpu_cores", report.cpu)
    for by in (CPU, SENDERS, NOTHING):
        yield Sample("lanes_worker_bound", report.bound_by == by, (by,))
    yield Sample("lanes_worker_events_waiting", shared.events.waiting)
    yield Sample("lanes_worker_ready", not why_not_ready(shared))
    yield Sample("lanes_worker_undecryptable_credentials", shared.tokens.unservable.undecryptable)


def why_not_ready(shared: WorkerContext) -> list[str]:
    """Return why a worker cannot send the jobs of every location now, a line for each reason; empty if it can."""
    undecryptable, some_unservable = shared.tokens.unservable.undecryptable, shared.tokens.unservable.some
    reasons = {
        "it has not started yet": not shared.ready,
        "it stops": shared.stop,
        "Redis is unavailable": shared.redis.is_unavailable,
        f"it cannot decrypt {undecryptable} of the stored tokens: see LANES_SECRET_KEY": undecryptable,
        "it cannot renew the tokens of some locations: see its log": some_unservable and not undecryptable,
        "it cannot send: see its log": shared.local_failures.active,
    }
    return [reason for reason, applies in reasons.items() if applies]


class WorkerMetrics:
    """Serves /metrics (the lanes and this worker), /metrics/worker (this worker) and /ready.

    If the port is taken, the worker runs without.
    """

    def __init__(
        self, pool: Any, shift_tracker: ShiftTracker, shared: WorkerContext, load: WorkerLoad, failures: LoopFailures
    ) -> None:
        settings = shared.settings
        self._store = LaneStore(connect(settings.redis_url), settings.prefix)
        self._store.unreadable = log_unreadable
        self._server: MetricsServer | None = None
        whole, own = CollectorRegistry(), CollectorRegistry()
        for registry in (whole, own):
            ProcessCollector(registry=registry)
            samples = partial(worker_samples, pool, shift_tracker, shared, load)
            registry.register(CatalogueCollector(WORKER_METRICS, samples))
            registry.register(loops_collector(failures))
        register(self._store, settings, whole, WAIT_SECONDS)
        where: dict[str, Any] = {"address": settings.metrics_address, "port": settings.metrics_port}
        try:
            registries = {ALL_METRICS_PATH: whole, WORKER_METRICS_PATH: own}
            self._server = MetricsServer(**where, registries=registries, why_not_ready=lambda: why_not_ready(shared))
        except (OSError, UnicodeError) as error:
            remedy = "set LANES_METRICS_PORT to a free port, or to 0"
            log.error("metrics_not_served", **where, error=str(error), remedy=remedy)  # noqa: TRY400
        else:
            log.info("metrics_served", **where)

    def close(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.close()
        self._store.close()
