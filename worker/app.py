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

from lanes.errors import SettingsError
from lanes.loader import load_all
from lanes.settings import Settings
from lanes.store import LaneStore, connect
from lanes.token_store import TokenStore
from worker.bell import Bell
from worker.bench import Bench, StopFlag
from worker.broker import broker_of, close_wholly
from worker.control import hide_bodies, restrict, survive_garbage
from worker.crew import Crew
from worker.dispatcher import SHIFT_TASK, DispatcherStep, ShiftTask
from worker.enqueue import EnqueueTask, enqueue_rows
from worker.events import JobEvents, NoEvents
from worker.guard import GuardStep
from worker.highlevel.client import HighLevelClient, user_agent
from worker.local_trouble import LocalTrouble
from worker.logs import configure_logs, set_up_celery
from worker.metrics.step import MetricsStep
from worker.redis_watch import RedisWatch
from worker.shared_flag import SharedFlag
from worker.shift import work
from worker.tokens.tokens import Tokens
from worker.tokens.unservable import Unservable

MOST_SENDERS = 4  # processes; a container may see many cores of which it has no share


def default_concurrency() -> int:
    """Return a process that sends for each core, as far as they are of use, and one for other tasks."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_SENDERS) + 1


def make_app(settings: Settings) -> Celery:
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
    app.steps["consumer"].update((GuardStep, DispatcherStep))
    if settings.metrics_port:
        app.steps["worker"].add(MetricsStep)
    return app


def load_settings() -> Settings:
    """Return the settings of this process, or end it with a line for each that is wrong (exit status 2)."""
    try:
        return Settings.load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None


settings = load_settings()
configure_logs(settings)
log = structlog.get_logger()
close_wholly()
restrict()
hide_bodies()
survive_garbage()
app = make_app(settings)
stop = StopFlag()
ready = SharedFlag()
some_unservable = SharedFlag()
trouble = LocalTrouble()
bell = Bell()
redis_watch = RedisWatch()
_crew: Crew | None = None
_bench: Bench | None = None
_lock = threading.Lock()


def bench(hostname: str) -> Bench:
    """Return what the shifts of this process share."""
    global _bench  # noqa: PLW0603 - one per process
    with _lock:
        if _bench is None:
            load_all(settings.prefix)
            store = LaneStore(connect(settings.redis_url), settings.prefix)
            _bench = Bench(
                settings,
                store,
                HighLevelClient(settings.api_base_url, settings.api_version, settings.http_timeout_seconds),
                Tokens(settings, store, lambda: bool(stop), Unservable(TokenStore(store), hostname, some_unservable)),
                JobEvents(app) if app.conf.worker_send_task_events else NoEvents(app),
                hostname,
                stop,
                bell,
                redis_watch,
                _crew,
                ready=ready,
                trouble=trouble,
            )
        return _bench


@app.task(name=SHIFT_TASK, base=ShiftTask, bind=True, acks_late=False)
def work_shift(self: Any) -> None:
    """Send due jobs for a few seconds."""
    work(bench(self.request.hostname))


@app.task(name="producers.enqueue", base=EnqueueTask, bind=True, acks_late=True, reject_on_worker_lost=True)
def enqueue(self: Any, rows: Any, durability: str | None = None) -> dict[str, Any]:
    """Enqueue one row, or a list of rows, sent by any Celery client."""
    return enqueue_rows(bench(self.request.hostname).store, settings, self.request.id, rows, durability)


@setup_logging.connect
def _set_up_logs(loglevel: int | str, logfile: str | None, **_: Any) -> None:
    """Celery asks who will do it, and then leaves the logs alone."""
    set_up_celery(settings, loglevel, logfile)


@celeryd_after_setup.connect
def _no_banner(instance: Any, **_: Any) -> None:
    """What is drawn for people is no line of a log."""
    instance.quiet = instance.quiet or not sys.stdout.isatty()


@worker_ready.connect
def _say_ready(sender: Any, **_: Any) -> None:
    """Once for each start."""
    ready.set()
    log.info("worker_ready", worker=sender.hostname, slots=sender.pool.num_processes, version=user_agent())


@worker_shutting_down.connect
def _release_nothing_more(sender: str, how: str, **_: Any) -> None:
    stop.set()
    bell.ring()
    log.info("worker_stops", worker=sender, how=how.lower())


@worker_process_init.connect
def _start_anew(**_: Any) -> None:
    """After a fork: nothing that the parent had open is used. A process has one shift at a time, hence a crew."""
    global _bench, _crew, _lock
    _bench, _crew, _lock = None, Crew(settings.shift_threads), threading.Lock()


@worker_process_shutdown.connect
def _finish_requests(**_: Any) -> None:
    """Wait for the hands that a shift left in the middle of a request."""
    if _crew is not None:
        _crew.close()
    if _bench is not None:
        _bench.tokens.close()
