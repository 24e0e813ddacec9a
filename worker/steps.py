"""The steps that Celery runs when a worker starts and stops: startup check, dispatcher, metrics server."""

import contextlib
from functools import partial
from typing import Any

from celery import bootsteps

from lanes.checks.worker_reports import REPORT_SECONDS
from lanes.credentials import CredentialStore
from lanes.errors import LanesError
from worker.delivery.dispatcher import Dispatcher
from worker.delivery.statistics import WRITE_SECONDS
from worker.metrics.step import WorkerMetrics
from worker.notifications.audit_log_lines import log_entries
from worker.notifications.notifier import Notifier
from worker.runtime import Runtime
from worker.safety.consumer_watchdog import ConsumerWatchdog
from worker.safety.startup_check import CHECK_SECONDS as STARTUP_CHECK_SECONDS
from worker.safety.startup_check import (
    StartupCheck,
    refusal_lines,
    refuse_start,
    undecryptable_lines,
    wait_for_redis,
)
from worker.safety.supervisor import Loop, every
from worker.tokens.credential_watch import CHECK_SECONDS as CREDENTIALS_SECONDS
from worker.tokens.credential_watch import CredentialWatch


class StartupCheckStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Checks Redis and the stored tokens before Celery's consumer connects. Waits for a Redis that is unreachable.

    The consumer would not end on a Redis that it cannot use, such as a node of a cluster: it reconnects all the time.
    """

    requires = {"celery.worker.components:Pool"}  # noqa: RUF012 - Celery's way to say it; the consumer is last

    def start(self, parent: Any) -> None:
        """Check, and refuse to start or start the loops that check again."""
        runtime: Runtime = parent.app.runtime
        shared = runtime.context(parent.hostname)
        tokens, startup_check = CredentialStore(shared.store), StartupCheck(shared.store, shared.settings)

        def reasons() -> list[str]:
            return refusal_lines(startup_check.blocking_findings()) or undecryptable_lines(tokens, shared.settings)

        if refused := wait_for_redis(reasons, shared.redis):
            refuse_start(refused)
        watch = CredentialWatch(shared.settings, tokens, shared.tokens.unservable)
        with contextlib.suppress(LanesError, OSError):
            watch.check()  # before the first job, so that no job is released that cannot be sent
        runtime.supervisor.start(every("startup-check", STARTUP_CHECK_SECONDS, startup_check.recheck))
        runtime.supervisor.start(every("credential-watch", CREDENTIALS_SECONDS, watch.check))


class DispatcherStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Starts the dispatcher after a worker's consumer, and stops it before the consumer."""

    requires = {"celery.worker.consumer:Tasks"}  # noqa: RUF012 - Celery's way to say it
    _dispatcher: Dispatcher | None = None
    _watchdog: ConsumerWatchdog | None = None

    def start(self, parent: Any) -> None:
        """Start the dispatcher, and at the first start the loops that outlast restarts of the consumer."""
        runtime: Runtime = parent.app.runtime
        runtime.stop.clear()
        shared, supervisor = runtime.context(parent.hostname), runtime.supervisor
        if self._watchdog is None:
            ping = partial(shared.store.read, lambda client: client.time())
            self._watchdog = ConsumerWatchdog(
                runtime.settings, lambda: runtime.shift_tracker.accepted, ping, runtime.stop
            )
            notifier = Notifier(shared.store, shared.settings)
            supervisor.start(Loop("notifier", notifier.step, away=shared.redis.mark_unavailable))
            supervisor.start(Loop("audit-log", partial(log_entries, shared.store)))
            supervisor.start(every("statistics", WRITE_SECONDS, partial(shared.store.record_statistics, {})))
            load = runtime.load(parent.pool, parent.hostname)
            supervisor.start(every("worker-report", REPORT_SECONDS, load.step))
            supervisor.start(every("watchdog", self._watchdog.pause, self._watchdog.check))
        self._watchdog.consumer = parent
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
        """Stop the dispatcher, and all loops if the worker ends."""
        if self._dispatcher is not None:
            self._dispatcher.stop()
            self._dispatcher = None
        runtime: Runtime = parent.app.runtime
        if runtime.stop:
            runtime.supervisor.stop()

    shutdown = stop


class MetricsStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Serves metrics while the worker runs."""

    requires = {"celery.worker.components:Pool"}  # noqa: RUF012 - Celery's way to say it
    _metrics: WorkerMetrics | None = None

    def start(self, parent: Any) -> None:
        """Start the server, if its port is free."""
        runtime: Runtime = parent.app.runtime
        shared = runtime.context(parent.hostname)
        self._metrics = WorkerMetrics(
            parent.pool,
            runtime.shift_tracker,
            shared,
            runtime.load(parent.pool, parent.hostname),
            runtime.supervisor.failures,
        )

    def stop(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Stop the server."""
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None

    terminate = stop
