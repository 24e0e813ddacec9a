"""A worker's own metrics, and their server in its main process."""

from collections.abc import Iterable, Iterator
from typing import Any

import structlog
from celery import bootsteps
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from lanes.queue.store import LaneStore, connect
from worker.delivery.context import WorkerContext
from worker.metrics import samples
from worker.metrics.catalogue import WORKER_METRICS
from worker.metrics.collector import register
from worker.metrics.samples import Sample
from worker.metrics.server import MetricsServer
from worker.metrics.snapshot import own_version

log = structlog.get_logger()

ALL_METRICS_PATH, WORKER_METRICS_PATH = "/metrics", "/metrics/worker"
WAIT_SECONDS = 2.0  # a thread of its own waits


class WorkerCollector(Collector):
    """Tells Prometheus of this worker."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker

    def describe(self) -> Iterable[Metric]:
        """Return all metrics without a value."""
        return samples.describe(WORKER_METRICS)

    def collect(self) -> Iterable[Metric]:
        """Return them with their values."""
        return samples.collect(WORKER_METRICS, self._samples())

    def _samples(self) -> Iterator[Sample]:
        from worker.app import worker_context  # noqa: PLC0415 - the app imports this module
        from worker.delivery.dispatcher import shift_tracker  # noqa: PLC0415 - the same

        yield Sample("lanes_worker_info", 1, (self._worker.hostname, own_version()))
        yield Sample("lanes_worker_slots", self._worker.pool.num_processes)
        yield Sample("lanes_worker_shifts", shift_tracker.shifts)
        yield Sample("lanes_worker_shifts_started_total", shift_tracker.accepted)
        shared = worker_context(self._worker.hostname)
        yield Sample("lanes_worker_events_waiting", shared.events.waiting)
        yield Sample("lanes_worker_ready", not why_not_ready(shared))
        yield Sample("lanes_worker_undecryptable_credentials", shared.tokens.unservable.undecryptable)


def why_not_ready(shared: WorkerContext) -> list[str]:
    """Return why a worker cannot send the jobs of every location at this moment, one line each; nothing if it can."""
    found = []
    if not shared.ready:
        found.append("it has not started yet")
    if shared.stop:
        found.append("it stops")
    if shared.redis.is_unavailable:
        found.append("Redis is away")
    if undecryptable := shared.tokens.unservable.undecryptable:
        found.append(f"it cannot decrypt {undecryptable} of the stored tokens: see LANES_SECRET_KEY")
    elif shared.tokens.unservable.some:
        found.append("it cannot renew the tokens of some locations: see its log")
    if shared.local_failures.active:
        found.append("it cannot send: see its log")
    return found


class MetricsStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Serves while the worker runs: at /metrics those of the lanes too, at /metrics/worker its own metrics alone, at
    /ready whether it can send the jobs of every location.
    """

    requires = {"celery.worker.components:Pool"}  # noqa: RUF012 - Celery's way to say it

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._server: MetricsServer | None = None
        self._store: LaneStore | None = None

    def start(self, parent: Any) -> None:
        """Serve, if the port is free; the worker does without, if it is not."""
        from worker.app import settings, worker_context  # noqa: PLC0415 - the app imports this module

        self._store = LaneStore(connect(settings.redis_url), settings.prefix)
        whole, own = CollectorRegistry(), CollectorRegistry()
        for registry in (whole, own):
            ProcessCollector(registry=registry)
            registry.register(WorkerCollector(parent))
        register(self._store, settings, whole, WAIT_SECONDS)
        where = {"address": settings.metrics_address, "port": settings.metrics_port}
        try:
            self._server = MetricsServer(
                settings.metrics_address,
                settings.metrics_port,
                {ALL_METRICS_PATH: whole, WORKER_METRICS_PATH: own},
                lambda: why_not_ready(worker_context(parent.hostname)),
            )
        except (OSError, UnicodeError) as error:
            remedy = "set LANES_METRICS_PORT to a free one, or to 0"
            log.error("metrics_not_served", **where, error=str(error), remedy=remedy)  # noqa: TRY400
        else:
            log.info("metrics_served", **where)

    def stop(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Serve no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._store is not None:
            self._store.close()
            self._store = None

    terminate = stop
