"""The dispatcher: in every worker, starts shifts when lanes are due and slots are free.

It knows its own worker only: the shifts that it starts go to the worker's own queue, and it counts them until they
end. So no two workers need to agree on anything, and a worker that dies takes nothing with it but its own shifts.
"""

import random
import threading
import time
from functools import partial
from typing import Any

import redis
import structlog
from celery import Task, bootsteps
from celery.utils.nodenames import worker_direct
from celery.worker import state as worker_state
from celery.worker.request import Request
from kombu.exceptions import KombuError

from lanes.errors import LanesError
from worker.notifications.notifier import Notifier
from worker.safety.consumer_watchdog import ConsumerWatchdog
from worker.safety.startup_check import StartupCheckStep

log = structlog.get_logger()

POLL_SECONDS = 0.02
YIELD_SECONDS = 0.01
HOUSEKEEPING_SECONDS = 1.0
LOST_SHIFT_SECONDS = 15.0
REDIS_RETRY_SECONDS = 1.0
SUBSCRIBE_RETRY_SECONDS = 60.0
HOUSEKEEPING_BATCH = 200
SHIFT_TASK = "work_shift"


class ShiftTracker:
    """The shifts that this worker's dispatcher started, from their sending to their end. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[str, float] = {}
        self.accepted = 0
        self.changed = threading.Event()

    def mark_sent(self, shift_id: str) -> None:
        """A shift's message is on its way."""
        with self._lock:
            self._sent[shift_id] = time.monotonic()

    def mark_started(self, shift_id: str) -> None:
        """A shift has its slot, or never will."""
        with self._lock:
            self._sent.pop(shift_id, None)

    def mark_accepted(self, shift_id: str) -> None:
        """A shift has its slot."""
        self.mark_started(shift_id)
        with self._lock:
            self.accepted += 1

    @property
    def starting(self) -> int:
        """Shifts that were sent and have not begun; one that never begins (its message was lost) is forgotten."""
        return len(self._waiting())

    @property
    def shifts(self) -> int:
        """Shifts that were sent and have not ended."""
        reserved = {request.id for request in list(worker_state.requests.values()) if request.name == SHIFT_TASK}
        return len(reserved | self._waiting())

    def _waiting(self) -> set[str]:
        with self._lock:
            too_old = time.monotonic() - LOST_SHIFT_SECONDS
            self._sent = {shift_id: at for shift_id, at in self._sent.items() if at > too_old}
            return set(self._sent)


shift_tracker = ShiftTracker()


class ShiftRequest(Request):  # type: ignore[misc]
    """Tells the book when a shift begins."""

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """The pool has a slot for it."""
        shift_tracker.mark_accepted(self.id)
        super().on_accepted(pid, time_accepted)


class ShiftTask(Task):  # type: ignore[misc]
    """The base of `work_shift`."""

    Request = ShiftRequest


class Dispatcher:
    """The loop of one worker. Times in seconds."""

    def __init__(self, app: Any, hostname: str, pool: Any, watchdog: ConsumerWatchdog) -> None:
        from worker.app import worker_context  # noqa: PLC0415 - the app imports this module

        self._app = app
        self._queue = worker_direct(hostname)
        self._pool = pool
        self._hostname = hostname
        self._watchdog = watchdog
        shared = worker_context(hostname)
        self._settings, self._limits = shared.settings, shared.limits
        self._store, self._events, self._wakeup, self._redis = shared.store, shared.events, shared.wakeup, shared.redis
        self._tokens, self._unservable = shared.tokens, shared.tokens.unservable
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name="dispatcher", daemon=True),
            threading.Thread(target=self._listen, name="dispatcher-wake", daemon=True),
        ]
        self._housekeeping_at = 0.0
        self._notifier = Notifier(self._store, self._settings, self._redis)

    def start(self) -> None:
        """Begin to dispatch."""
        for thread in self._threads:
            thread.start()
        self._notifier.start()

    def stop(self) -> None:
        """Start no more shifts."""
        self._stopping.set()
        self._notifier.stop()
        shift_tracker.changed.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                pause = self._dispatch()
            except (LanesError, redis.RedisError, OSError, KombuError) as error:
                self._redis.mark_unavailable(error)
                pause = _redis_retry_delay()
            except Exception:
                log.exception("dispatcher_failed")  # and goes on: without it the worker would be there and do nothing
                pause = _redis_retry_delay()
            shift_tracker.changed.wait(pause)
            shift_tracker.changed.clear()

    def _dispatch(self) -> float:
        """Start as many shifts as there are free slots and due jobs; return the longest time to wait then.

        The shifts that are on come first: a hand that watches takes what has just become due, and no shift is started
        for it. One slot is kept for other tasks, and no more: they queue behind the shifts, never before them.
        """
        self._housekeeping()
        shifts = shift_tracker.shifts
        if shifts:
            self._stopping.wait(YIELD_SECONDS)
        free = max(1, self._pool.num_processes - 1) - shifts
        if free <= 0:
            return POLL_SECONDS
        starting = shift_tracker.starting
        asked_at = time.monotonic()
        count_due = self._store.count_due(free + starting, self._limits, self._unservable.name)
        self._redis.mark_available(asked_at)
        due = count_due.due or int(starting == 0 and self._watchdog.needs_heartbeat())
        for _ in range(min(free, due - starting)):
            if self._stopping.is_set():
                break
            self._start_shift()
        if count_due.seconds is None:
            return HOUSEKEEPING_SECONDS
        return min(max(count_due.seconds, POLL_SECONDS), HOUSEKEEPING_SECONDS)

    def _start_shift(self) -> None:
        from worker.app import work_shift  # noqa: PLC0415 - the app imports this module

        shift_id = f"shift-{random.getrandbits(64):016x}"
        shift_tracker.mark_sent(shift_id)
        try:
            work_shift.apply_async(task_id=shift_id, queue=self._queue, retry=False)
        except BaseException:
            shift_tracker.mark_started(shift_id)
            raise

    def _housekeeping(self) -> None:
        """Take back what a dead worker left, and withdraw what is too old to be sent; about once a second."""
        now = time.monotonic()
        if now < self._housekeeping_at:
            return
        self._housekeeping_at = now + HOUSEKEEPING_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        reclaimed = self._store.reclaim(
            HOUSEKEEPING_BATCH, self._settings.max_attempts, repeat_unnamed=self._settings.repeat_unnamed
        )
        self._redis.mark_available(now)
        for job in reclaimed:
            log.warning("job_reclaimed", job=job.id, location=job.location_id, attempt=job.attempt, buried=job.buried)
            self._events.lost(job, self._hostname)
            self._events.flush(self._hostname)
        for job_id in self._store.expire(HOUSEKEEPING_BATCH):
            log.info("job_expired", job=job_id)
        self._tokens.resume_renewals()

    def _listen(self) -> None:
        """Wake the dispatcher when an enqueue made a lane due earlier than all others."""
        while not self._stopping.is_set():
            try:
                with self._store.client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
                    channel.subscribe(self._store.key("wake"))
                    while not self._stopping.is_set():
                        if channel.get_message(timeout=HOUSEKEEPING_SECONDS):
                            self._wakeup.wake()
                            shift_tracker.changed.set()
            except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
                self._redis.mark_unavailable(error)
                self._stopping.wait(_redis_retry_delay())
            except redis.RedisError as error:
                # Refused for good, as it seems, while all else may work: jobs then wait for the next look.
                log.warning("wake_channel_refused", error=str(error))
                self._stopping.wait(SUBSCRIBE_RETRY_SECONDS)


def _redis_retry_delay() -> float:
    """Return for how long to leave Redis alone; not all workers come back at once."""
    return REDIS_RETRY_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 - jitter


class DispatcherStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Starts the dispatcher with the consumer of a worker, and stops it first."""

    requires = {"celery.worker.consumer:Tasks", StartupCheckStep}  # noqa: RUF012 - Celery's way to say it

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._dispatcher: Dispatcher | None = None
        self._watchdog: ConsumerWatchdog | None = None

    def start(self, parent: Any) -> None:
        """The consumer is up, for the first time or again."""
        from worker.app import stop, worker_context  # noqa: PLC0415 - the app imports this module

        if self._watchdog is None:
            shared = worker_context(parent.hostname)
            redis_time = partial(shared.store.read, lambda client: client.time())
            self._watchdog = ConsumerWatchdog(
                shared.settings, lambda: shift_tracker.accepted, redis_time, lambda: bool(stop), stop.set
            )
        stop.clear()
        self._dispatcher = Dispatcher(parent.app, parent.hostname, parent.pool, self._watchdog)
        self._dispatcher.start()
        self._watchdog.watch(parent)

    def stop(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """The consumer goes down."""
        if self._dispatcher is not None:
            self._dispatcher.stop()
            self._dispatcher = None

    shutdown = stop
