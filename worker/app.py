"""The Celery apps: a worker's, with its tasks and steps, and the dashboard's.

Importing this module starts nothing. `load_app` and `load_dashboard_app` set up the process.
"""

import os
import sys
from functools import cache
from typing import Any

import structlog
from celery import Celery, signals

from lanes.errors import SettingsError
from lanes.settings import DashboardSettings, WorkerSettings
from lanes.storage.scripts import load_all
from worker.broker import broker_of
from worker.delivery.shift import run_shift
from worker.delivery.shift_tracker import ShiftRequest
from worker.enqueue_task import EnqueueRequest, RejectedRowsError, enqueue_rows
from worker.highlevel.client import user_agent
from worker.logging.setup import configure_celery_logging, configure_logging
from worker.runtime import Runtime, keep_heap
from worker.safety.patches_for_celery import patch_body_dump
from worker.safety.patches_for_kombu import patch_channel_close, patch_message_parsing
from worker.safety.remote_control import restrict_remote_control
from worker.steps import DispatcherStep, MetricsStep, StartupCheckStep
from worker.task_names import ENQUEUE_TASK, SHIFT_TASK

log = structlog.get_logger()

MAX_SENDERS = 4  # processes; a container may see more cores than it may use


def default_concurrency() -> int:
    """Return the number of pool processes: one sender for each core, at most MAX_SENDERS, and one for other tasks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_SENDERS) + 1


def make_dashboard_app(settings: DashboardSettings) -> Celery:
    """Return an app that knows the broker and the tasks, for Flower. It cannot run a worker."""
    broker = broker_of(settings.redis_url)
    app = Celery("lanes", broker=broker.url)
    app.conf.update(
        broker_use_ssl=broker.tls,
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        task_ignore_result=True,
        task_default_queue="lanes",
        worker_direct=True,
        worker_pool="prefork",
        worker_concurrency=default_concurrency(),
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,
        worker_enable_prefetch_count_reduction=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # also while Redis is full, read-only or has no disk
        broker_transport_options={
            "global_keyprefix": f"{settings.prefix}celery:",
            "visibility_timeout": 60,  # seconds until a dead worker's unacknowledged messages are redelivered
            "socket_keepalive": True,
        },
    )
    app.task(name=SHIFT_TASK, Request=ShiftRequest, bind=True, acks_late=False)(work_shift)
    redelivered = {"acks_late": True, "reject_on_worker_lost": True}
    refused = {"throws": (RejectedRowsError,)}  # logged in one line, without a traceback
    app.task(name=ENQUEUE_TASK, Request=EnqueueRequest, bind=True, **redelivered, **refused)(enqueue)
    return app


def make_app(settings: WorkerSettings) -> Celery:
    """Return a worker's app, with its steps and its `runtime`."""
    app = make_dashboard_app(settings)
    app.runtime = Runtime(app, settings)
    app.steps["worker"].add(StartupCheckStep)
    app.steps["consumer"].add(DispatcherStep)
    if settings.metrics_port:
        app.steps["worker"].add(MetricsStep)
    return app


@cache
def load_app() -> Celery:
    """Return the worker's app of this process. The first call reads the settings and sets up the process."""
    settings = load_settings()
    _set_up_process(settings)
    app = make_app(settings)
    connect_signals(app.runtime)
    return app


def load_dashboard_app(settings: DashboardSettings) -> Celery:
    """Set up the process of the dashboard and return its app. Settings that only workers use are not read."""
    _set_up_process(settings)
    return make_dashboard_app(settings)


def _set_up_process(settings: DashboardSettings) -> None:
    configure_logging(settings)
    patch_channel_close()
    restrict_remote_control()
    patch_body_dump()
    patch_message_parsing()


def load_settings() -> WorkerSettings:
    """Return the settings of this process. Wrong ones end it with exit status 2 and a line for each."""
    try:
        return WorkerSettings.load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


def work_shift(task: Any) -> None:
    """Send due jobs for a few seconds."""
    run_shift(task.app.runtime.context(task.request.hostname))


def enqueue(task: Any, rows: Any = None, durability: str | None = None, *more: Any, **unknown: Any) -> dict[str, Any]:
    """Enqueue one row or a list of rows, sent by any Celery client. Refuse them if it sent other arguments, too."""
    runtime: Runtime = task.app.runtime
    store = runtime.context(task.request.hostname).store
    unexpected = [*unknown, *(f"argument {number}" for number in range(3, 3 + len(more)))]
    return enqueue_rows(store, runtime.settings, task.request.id, rows, durability, unexpected=unexpected)


def connect_signals(runtime: Runtime) -> None:
    """Connect the runtime to Celery's signals of a worker and its pool processes."""

    def set_up_logs(loglevel: int | str, logfile: str | None, **_: Any) -> None:
        configure_celery_logging(runtime.settings, loglevel, logfile)  # Celery then sets up none of its own

    def load_scripts(**_: Any) -> None:
        load_all()  # before the pool forks: a new process would need about half a second of CPU for its first job

    def hide_banner(instance: Any, **_: Any) -> None:
        instance.quiet = instance.quiet or not sys.stdout.isatty()

    def on_ready(sender: Any, **_: Any) -> None:
        runtime.ready.set()
        keep_heap()
        log.info("worker_ready", worker=sender.hostname, slots=sender.pool.num_processes, version=user_agent())

    def on_shutdown(sender: str, how: str, **_: Any) -> None:
        runtime.stop.set()
        runtime.wakeup.wake()
        log.info("worker_stopping", worker=sender, how=how.lower())

    signals.setup_logging.connect(set_up_logs, weak=False)
    signals.celeryd_after_setup.connect(hide_banner, weak=False)
    signals.worker_init.connect(load_scripts, weak=False)
    signals.worker_ready.connect(on_ready, weak=False)
    signals.worker_shutting_down.connect(on_shutdown, weak=False)
    signals.worker_process_init.connect(lambda **_: runtime.begin_process(), weak=False)
    signals.worker_process_shutdown.connect(lambda **_: runtime.end_process(), weak=False)
