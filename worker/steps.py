"""The steps that Celery takes as a worker starts and stops: the guard, the dispatcher and the server of metrics."""

import contextlib
from functools import partial
from typing import Any

import structlog
from celery import bootsteps

from lanes.credentials import CredentialStore
from lanes.errors import LanesError, RedisUnavailableError, Trouble
from lanes.queue.store import LaneStore
from worker.delivery.dispatcher import Dispatcher
from worker.metrics.step import WorkerMetrics
from worker.notifications.notifier import Notifier
from worker.runtime import Runtime
from worker.safety.consumer_watchdog import ConsumerWatchdog
from worker.safety.startup_check import CHECK_SECONDS as GUARD_SECONDS
from worker.safety.startup_check import StartupCheck, refusal_lines, refuse_start, undecryptable_lines
from worker.safety.supervisor import Loop, every
from worker.tokens.credential_watch import CHECK_SECONDS as CREDENTIALS_SECONDS
from worker.tokens.credential_watch import CredentialWatch

log = structlog.get_logger()


class StartupCheckStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Looks at Redis before the consumer takes tasks, for the first time or again."""

    requires = {"celery.worker.consumer:Connection"}  # noqa: RUF012 - Celery's way to say it

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._startup_check: StartupCheck | None = None

    def start(self, parent: Any) -> None:
        """Refuse, or begin to watch. A worker that was admitted once goes on, whatever becomes of its Redis."""
        if self._startup_check is not None:
            self._startup_check.recheck()
            return
        runtime: Runtime = parent.app.runtime
        shared = runtime.context(parent.hostname)
        store, tokens = shared.store, CredentialStore(shared.store)
        startup_check = StartupCheck(store, shared.settings)
        try:
            refused = refusal_lines(startup_check.blocking_findings()) or undecryptable_lines(tokens, shared.settings)
        except RedisUnavailableError as error:
            if error.trouble is not Trouble.SCHEMA:
                raise ConnectionError(str(error)) from error  # which Celery answers by trying again
            refused = [f"the worker does not start: {error}"]
        if refused:
            refuse_start(refused)
        self._startup_check = startup_check
        watch = CredentialWatch(shared.settings, tokens, shared.tokens.unservable)
        with contextlib.suppress(LanesError, OSError):
            watch.check()  # before the first job: what cannot be served is not even taken
        runtime.supervisor.start(every("startup_check", GUARD_SECONDS, startup_check.recheck))
        runtime.supervisor.start(every("credential-watch", CREDENTIALS_SECONDS, watch.check))


class DispatcherStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Starts the dispatcher with the consumer of a worker, and stops it first."""

    requires = {"celery.worker.consumer:Tasks", StartupCheckStep}  # noqa: RUF012 - Celery's way to say it

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._dispatcher: Dispatcher | None = None
        self._watchdog: ConsumerWatchdog | None = None

    def start(self, parent: Any) -> None:
        """The consumer is up, for the first time or again."""
        runtime: Runtime = parent.app.runtime
        runtime.stop.clear()
        shared, supervisor = runtime.context(parent.hostname), runtime.supervisor
        if self._watchdog is None:
            self._watchdog = _watchdog(runtime, shared.store)
            notifier = Notifier(shared.store, shared.settings)
            supervisor.start(Loop("notifier", notifier.step, away=shared.redis.mark_unavailable))
            supervisor.start(every("watchdog", self._watchdog.pause, self._watchdog.check))
        self._watchdog.watch(parent)
        self._dispatcher = Dispatcher(
            parent.app,
            parent.pool,
            shared,
            shift_tracker=runtime.shift_tracker,
            watchdog=self._watchdog,
            failures=supervisor.failures,
        )
        self._dispatcher.start()

    def stop(self, parent: Any) -> None:
        """The consumer goes down."""
        if self._dispatcher is not None:
            self._dispatcher.stop()
            self._dispatcher = None
        runtime: Runtime = parent.app.runtime
        if runtime.stop:
            runtime.supervisor.stop()

    shutdown = stop


def _watchdog(runtime: Runtime, store: LaneStore) -> ConsumerWatchdog:
    redis_time = partial(store.read, lambda client: client.time())
    stop = runtime.stop
    return ConsumerWatchdog(
        runtime.settings, lambda: runtime.shift_tracker.accepted, redis_time, lambda: bool(stop), stop.set
    )


class MetricsStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Serves metrics while the worker runs."""

    requires = {"celery.worker.components:Pool"}  # noqa: RUF012 - Celery's way to say it

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._metrics: WorkerMetrics | None = None

    def start(self, parent: Any) -> None:
        """Serve, if the port is free."""
        runtime: Runtime = parent.app.runtime
        shared = runtime.context(parent.hostname)
        self._metrics = WorkerMetrics(parent.pool, runtime.shift_tracker, shared, runtime.supervisor.failures)

    def stop(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Serve no more."""
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None

    terminate = stop
