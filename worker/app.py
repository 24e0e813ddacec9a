"""The Celery app: its settings, its two tasks, and the dispatcher in every worker."""

import os
import sys
import threading
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

from lanes.credentials import CredentialStore
from lanes.errors import SettingsError
from lanes.queue.store import LaneStore, connect
from lanes.settings import WorkerSettings
from lanes.storage.scripts import load_all
from worker.broker import broker_of
from worker.delivery.context import StopFlag, WorkerContext
from worker.delivery.dispatcher import SHIFT_TASK, DispatcherStep, ShiftTask
from worker.delivery.flower_events import JobEvents, NoEvents
from worker.delivery.sender_pool import SenderPool
from worker.delivery.shift import run_shift
from worker.delivery.wakeup import WakeupPipe
from worker.enqueue_task import EnqueueTask, enqueue_rows
from worker.highlevel.client import HighLevelClient, user_agent
from worker.highlevel.local_failures import LocalFailures
from worker.logging.setup import configure_celery_logging, configure_logging
from worker.metrics.step import MetricsStep
from worker.safety.patches_for_celery import patch_body_dump
from worker.safety.patches_for_kombu import patch_channel_close, patch_message_parsing
from worker.safety.redis_availability import RedisAvailability
from worker.safety.remote_control import restrict_remote_control
from worker.safety.startup_check import StartupCheckStep
from worker.shared_flag import SharedFlag
from worker.tokens.provider import TokenProvider
from worker.tokens.unservable import Unservable

MAX_SENDERS = 4  # processes; a container may see many cores of which it has no share


def default_concurrency() -> int:
    """Return a process that sends for each core, as far as they are of use, and one for other tasks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_SENDERS) + 1


def make_app(settings: WorkerSettings) -> Celery:
    """Return the Celery app for these settings."""
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
    app.steps["consumer"].update((StartupCheckStep, DispatcherStep))
    if settings.metrics_port:
        app.steps["worker"].add(MetricsStep)
    return app


def load_settings() -> WorkerSettings:
    """Return the settings of this process, or end it with a line for each that is wrong (exit status 2)."""
    try:
        return WorkerSettings.load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


settings = load_settings()
configure_logging(settings)
log = structlog.get_logger()
patch_channel_close()
restrict_remote_control()
patch_body_dump()
patch_message_parsing()
app = make_app(settings)
stop = StopFlag()
ready = SharedFlag()
some_unservable = SharedFlag()
local_failures = LocalFailures()
wakeup = WakeupPipe()
redis_availability = RedisAvailability()
_sender_pool: SenderPool | None = None
_context: WorkerContext | None = None
_lock = threading.Lock()


def worker_context(hostname: str) -> WorkerContext:
    """Return what the shifts of this process share."""
    global _context  # noqa: PLW0603 - one per process
    with _lock:
        if _context is None:
            load_all(settings.prefix)
            store = LaneStore(connect(settings.redis_url), settings.prefix)
            _context = WorkerContext(
                settings,
                store,
                HighLevelClient(settings.api_base_url, settings.api_version, settings.http_timeout_seconds),
                TokenProvider(
                    settings, store, lambda: bool(stop), Unservable(CredentialStore(store), hostname, some_unservable)
                ),
                JobEvents(app) if app.conf.worker_send_task_events else NoEvents(app),
                hostname,
                stop,
                wakeup,
                redis_availability,
                _sender_pool,
                ready=ready,
                local_failures=local_failures,
            )
        return _context


@app.task(name=SHIFT_TASK, base=ShiftTask, bind=True, acks_late=False)
def work_shift(self: Any) -> None:
    """Send due jobs for a few seconds."""
    run_shift(worker_context(self.request.hostname))


@app.task(name="producers.enqueue", base=EnqueueTask, bind=True, acks_late=True, reject_on_worker_lost=True)
def enqueue(self: Any, rows: Any, durability: str | None = None) -> dict[str, Any]:
    """Enqueue one row, or a list of rows, sent by any Celery client."""
    return enqueue_rows(worker_context(self.request.hostname).store, settings, self.request.id, rows, durability)


@setup_logging.connect
def _set_up_logs(loglevel: int | str, logfile: str | None, **_: Any) -> None:
    """Celery asks who will do it, and then leaves the logs alone."""
    configure_celery_logging(settings, loglevel, logfile)


@celeryd_after_setup.connect
def _no_banner(instance: Any, **_: Any) -> None:
    """What is drawn for people is no line of a log."""
    instance.quiet = instance.quiet or not sys.stdout.isatty()


@worker_ready.connect
def _log_ready(sender: Any, **_: Any) -> None:
    """Once for each start."""
    ready.set()
    log.info("worker_ready", worker=sender.hostname, slots=sender.pool.num_processes, version=user_agent())


@worker_shutting_down.connect
def _stop_releasing(sender: str, how: str, **_: Any) -> None:
    stop.set()
    wakeup.wake()
    log.info("worker_stopping", worker=sender, how=how.lower())


@worker_process_init.connect
def _after_fork(**_: Any) -> None:
    """After a fork: nothing that the parent had open is used. A process has one shift at a time, hence a crew."""
    global _context, _sender_pool, _lock
    _context, _sender_pool, _lock = None, SenderPool(settings.shift_threads), threading.Lock()


@worker_process_shutdown.connect
def _finish_requests(**_: Any) -> None:
    """Wait for the hands that a shift left in the middle of a request."""
    if _sender_pool is not None:
        _sender_pool.close()
    if _context is not None:
        _context.tokens.close()
