"""The Celery app: its settings, its two tasks, and the dispatcher in every worker.

Importing this module starts nothing; `load_app` makes the app of this process.
"""

import os
import sys
from functools import cache
from typing import Any

import structlog
from celery import Celery
from celery.signals import (
    celeryd_after_setup,
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutting_down,
)

from lanes.errors import SettingsError
from lanes.settings import WorkerSettings
from worker.broker import broker_of
from worker.delivery.shift import run_shift
from worker.delivery.shift_tracker import ShiftTask
from worker.enqueue_task import EnqueueTask, enqueue_rows
from worker.highlevel.client import user_agent
from worker.logging.setup import configure_celery_logging, configure_logging
from worker.runtime import Runtime
from worker.safety.patches_for_celery import patch_body_dump
from worker.safety.patches_for_kombu import patch_channel_close, patch_message_parsing
from worker.safety.remote_control import restrict_remote_control
from worker.steps import DispatcherStep, MetricsStep, StartupCheckStep
from worker.task_names import ENQUEUE_TASK, SHIFT_TASK

log = structlog.get_logger()

MAX_SENDERS = 4  # processes; a container may see many cores of which it has no share


def default_concurrency() -> int:
    """Return a process that sends for each core, as far as they are of use, and one for other tasks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_SENDERS) + 1


def make_app(settings: WorkerSettings) -> Celery:
    """Return the Celery app for these settings, with its tasks, its steps and its `runtime`."""
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
        broker_channel_error_retry=True,  # a Redis that is full, read-only or without a disk is as one that is away
        broker_transport_options={
            "global_keyprefix": f"{settings.prefix}celery:",
            "visibility_timeout": 60,  # seconds until another worker gets what a dead one had in hand
            "socket_keepalive": True,
        },
    )
    app.runtime = Runtime(app, settings)
    app.task(name=SHIFT_TASK, base=ShiftTask, bind=True, acks_late=False)(work_shift)
    app.task(name=ENQUEUE_TASK, base=EnqueueTask, bind=True, acks_late=True, reject_on_worker_lost=True)(enqueue)
    app.steps["consumer"].update((StartupCheckStep, DispatcherStep))
    if settings.metrics_port:
        app.steps["worker"].add(MetricsStep)
    return app


@cache
def load_app() -> Celery:
    """Return the app of this process. The first call reads the settings, sets up the logs and patches Celery."""
    settings = load_settings()
    configure_logging(settings)
    patch_channel_close()
    restrict_remote_control()
    patch_body_dump()
    patch_message_parsing()
    app = make_app(settings)
    connect_signals(app.runtime)
    return app


def load_settings() -> WorkerSettings:
    """Return the settings of this process, or end it with a line for each that is wrong (exit status 2)."""
    try:
        return WorkerSettings.load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


def work_shift(task: Any) -> None:
    """Send due jobs for a few seconds."""
    run_shift(task.app.runtime.context(task.request.hostname))


def enqueue(task: Any, rows: Any, durability: str | None = None) -> dict[str, Any]:
    """Enqueue one row, or a list of rows, sent by any Celery client."""
    runtime: Runtime = task.app.runtime
    return enqueue_rows(
        runtime.context(task.request.hostname).store, runtime.settings, task.request.id, rows, durability
    )


def connect_signals(runtime: Runtime) -> None:
    """Follow Celery through the life of a worker and of its processes."""

    def set_up_logs(loglevel: int | str, logfile: str | None, **_: Any) -> None:
        """Celery asks who will do it, and then leaves the logs alone."""
        configure_celery_logging(runtime.settings, loglevel, logfile)

    def say_ready(sender: Any, **_: Any) -> None:
        runtime.ready.set()
        log.info("worker_ready", worker=sender.hostname, slots=sender.pool.num_processes, version=user_agent())

    def release_nothing_more(sender: str, how: str, **_: Any) -> None:
        runtime.stop.set()
        runtime.wakeup.wake()
        log.info("worker_stopping", worker=sender, how=how.lower())

    setup_logging.connect(set_up_logs, weak=False)
    celeryd_after_setup.connect(no_banner, weak=False)
    worker_ready.connect(say_ready, weak=False)
    worker_shutting_down.connect(release_nothing_more, weak=False)
    worker_process_init.connect(lambda **_: runtime.begin_process(), weak=False)
    worker_process_shutdown.connect(lambda **_: runtime.end_process(), weak=False)


def no_banner(instance: Any, **_: Any) -> None:
    """What is drawn for people is no line of a log."""
    instance.quiet = instance.quiet or not sys.stdout.isatty()
