"""What the tasks and steps of a worker's Celery app share. They find it as `app.runtime`."""

import gc
import threading
from typing import Any

from celery.utils.log import current_process_index

from lanes.credentials import CredentialStore
from lanes.queue.connecting import connect_shared
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from worker.delivery.context import WorkerContext
from worker.delivery.flower_events import JobEvents
from worker.delivery.sender_gauges import SenderGauges
from worker.delivery.sender_pool import SenderPool
from worker.delivery.shift_tracker import ShiftTracker
from worker.delivery.wakeup import WakeupPipe
from worker.delivery.worker_load import WorkerLoad
from worker.highlevel.client import HighLevelClient
from worker.highlevel.local_failures import LocalFailures
from worker.logging.unreadable import log_unreadable
from worker.safety.redis_availability import RedisAvailability
from worker.safety.supervisor import Supervisor
from worker.shared_flag import SharedFlag
from worker.tokens.provider import TokenProvider
from worker.tokens.unservable import Unservable


def keep_heap() -> None:
    """Let the garbage collector never examine again what exists now: modules, classes, the app.

    A full collection of it stops every thread for about 80 ms, and copies the memory that a pool process shares with
    its parent.
    """
    gc.freeze()


class Runtime:
    """Made once, before the pool forks: all processes of a worker share its flags and its wake-up pipe.

    Each process makes its own connections at the first use.
    """

    def __init__(self, app: Any, settings: WorkerSettings) -> None:
        self.app = app
        self.settings = settings
        self.shift_tracker = ShiftTracker()
        self.supervisor = Supervisor()  # of the loops that keep running while the consumer restarts
        self.stop = SharedFlag()
        self.ready = SharedFlag()
        self.wakeup = WakeupPipe()
        self.sender_gauges = SenderGauges()
        self._gauges = self.sender_gauges.of_process(0)
        self._some_unservable = SharedFlag()
        self._local_failures = LocalFailures()
        self._redis = RedisAvailability()
        self._sender_pool: SenderPool | None = None
        self._context: WorkerContext | None = None
        self._load: WorkerLoad | None = None
        self._lock = threading.Lock()

    def context(self, hostname: str) -> WorkerContext:
        """Return what the shifts of this process share."""
        with self._lock:
            self._context = self._context or self._make_context(hostname)
            return self._context

    def _make_context(self, hostname: str) -> WorkerContext:
        settings = self.settings
        store = LaneStore(connect_shared(settings.redis_url), settings.prefix)
        store.unreadable = log_unreadable
        unservable = Unservable(CredentialStore(store), hostname, self._some_unservable)
        return WorkerContext(
            settings,
            store,
            HighLevelClient(settings.api_base_url, settings.api_version, settings.http_timeout_seconds),
            TokenProvider(settings, store, lambda: bool(self.stop), unservable),
            JobEvents(self.app, hostname, enabled=self.app.conf.worker_send_task_events),
            hostname,
            self.stop,
            self.wakeup,
            self._redis,
            self._sender_pool,
            self.sender_gauges,
            self._gauges,
            ready=self.ready,
            local_failures=self._local_failures,
        )

    def load(self, pool: Any, hostname: str) -> WorkerLoad:
        """Return what measures the load of this worker."""
        shared = self.context(hostname)
        with self._lock:
            self._load = self._load or WorkerLoad(pool, shared, lambda: self.shift_tracker.shifts)
            return self._load

    def begin_process(self) -> None:
        """Drop what the parent had open, after a fork. A pool process runs one shift at a time, with many threads."""
        keep_heap()
        self._gauges = self.sender_gauges.of_process(current_process_index(base=0) or 0)
        self._sender_pool = SenderPool(self.settings.shift_threads, self._gauges)
        self._context, self._lock = None, threading.Lock()

    def end_process(self) -> None:
        """Wait for requests that have not ended, and for token renewals."""
        if self._sender_pool is not None:
            self._sender_pool.close()
        if self._context is not None:
            self._context.statistics.write(self._context.store)
            self._context.tokens.close()
