"""The dispatcher: in every worker, starts shifts when lanes are due and slots are free.

It knows its own worker only: its shifts go to the worker's own queue, and it counts them until they end. Workers need
no agreement with each other, and a worker that crashes loses only its own shifts.
"""

import random
import time
from typing import Any

import redis
import structlog
from celery.utils.nodenames import worker_direct

from lanes.errors import ScriptError
from lanes.outcomes.store import OutcomeStore
from lanes.retry_loop import SLIGHT, jittered
from worker.delivery.context import WorkerContext
from worker.delivery.shift_tracker import ShiftTracker
from worker.logging.unreadable import Reminder
from worker.safety.consumer_watchdog import ConsumerWatchdog
from worker.safety.supervisor import Loop, LoopFailures, Supervisor
from worker.task_names import SHIFT_TASK

log = structlog.get_logger()

POLL_SECONDS = 0.02
YIELD_SECONDS = 0.01
HOUSEKEEPING_SECONDS = 1.0
SUBSCRIBE_RETRY_SECONDS = 60.0
LISTEN_SECONDS = 0.25  # the dispatcher stops within this time
HOUSEKEEPING_BATCH = 200
FORGET_STEPS = 20
IDLE_LANES_SECONDS = 10.0
IDLE_LANES_BATCH = 100
TRIM_SECONDS = 10.0
TRIM_STEPS = 100
OUTCOME_STEPS = 20


class Dispatcher:
    """The loop of one worker. Times in seconds."""

    def __init__(
        self,
        app: Any,
        pool: Any,
        shared: WorkerContext,
        *,
        shift_tracker: ShiftTracker,
        watchdog: ConsumerWatchdog,
        failures: LoopFailures,
    ) -> None:
        self._task = app.tasks[SHIFT_TASK]
        self._pool = pool
        self._queue = worker_direct(shared.hostname)
        self._shifts = shift_tracker
        self._watchdog = watchdog
        self._settings, self._limits = shared.settings, shared.limits
        self._store, self._events, self._wakeup, self._redis = shared.store, shared.events, shared.wakeup, shared.redis
        self._tokens, self._gauges = shared.tokens, shared.all_gauges
        self._outcomes = OutcomeStore(shared.store)
        self._housekeeping_at = self._idle_lanes_at = self._trim_at = 0.0
        self._idle_lanes_cursor = 0
        self._warnings = Reminder()
        self._supervisor = Supervisor(failures)
        self._stopping = self._supervisor.stopping

    def start(self) -> None:
        """Begin to dispatch."""
        away = self._redis.mark_unavailable
        self._supervisor.start(Loop("dispatcher", self._dispatch, wake=self._shifts.changed, away=away))
        self._supervisor.start(Loop("dispatcher-wake", self._listen, away=away))

    def stop(self) -> None:
        """Start no more shifts."""
        self._supervisor.stop()

    def _dispatch(self) -> float:
        """Start as many shifts as there are free slots and due jobs; return the longest time until the next call.

        A waiting sender thread comes first: it takes a job that has just become due, and no shift is started for it.
        One slot is kept for other tasks, which queue behind the shifts.
        """
        self._housekeeping()
        shifts = self._shifts.shifts
        if shifts and self._gauges.is_waited:
            self._stopping.wait(YIELD_SECONDS)
        free = max(1, self._pool.num_processes - 1) - shifts
        if free <= 0:
            return POLL_SECONDS
        starting = self._shifts.starting
        asked_at = time.monotonic()
        count_due = self._store.count_due(free + starting, self._limits, self._tokens.unservable.name)
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
        shift_id = f"shift-{random.getrandbits(64):016x}"
        self._shifts.mark_sent(shift_id)
        try:
            self._task.apply_async(task_id=shift_id, queue=self._queue, retry=False)
        except BaseException:
            self._shifts.mark_started(shift_id)
            raise

    def _housekeeping(self) -> None:
        """About once a second: take back, expire and forget jobs, care for outcomes, renew tokens, end lanes."""
        now = time.monotonic()
        if now < self._housekeeping_at:
            return
        self._housekeeping_at = now + jittered(HOUSEKEEPING_SECONDS, SLIGHT)
        for work in (
            self._reclaim,
            self._expire,
            self._forget_history,
            self._write_outcomes,
            self._trim_outcomes,
            self._tokens.resume_renewals,
            self._end_idle_lanes,
        ):
            try:
                work()
            except ScriptError as error:  # a broken key must not keep the dispatcher from all other work
                if self._warnings.passes(str(error)):
                    log.error("housekeeping_failed", error=str(error))  # noqa: TRY400 - the message says it all

    def _reclaim(self) -> None:
        asked_at = time.monotonic()
        settings = self._settings
        reclaimed = self._store.reclaim(
            HOUSEKEEPING_BATCH, settings.max_attempts, repeat_unnamed=settings.repeat_unnamed
        )
        self._redis.mark_available(asked_at)
        for job in reclaimed:
            log.warning("job_reclaimed", job=job.id, location=job.location_id, attempt=job.attempt, buried=job.buried)
            self._events.lost(job)
            self._events.flush()

    def _expire(self) -> None:
        for job_id in self._store.expire(HOUSEKEEPING_BATCH):
            log.info("job_expired", job=job_id)

    def _forget_history(self) -> None:
        """Forget done jobs beyond their share of memory, in short steps."""
        settings = self._settings
        for _ in range(FORGET_STEPS):
            forgotten = self._store.forget_history(
                settings.history_share, settings.enqueue_timeout_seconds, HOUSEKEEPING_BATCH
            )
            if not forgotten.more:
                break

    def _write_outcomes(self) -> None:
        """Write the outcomes of merged jobs that a report has left, in short steps."""
        for _ in range(OUTCOME_STEPS):
            if not self._outcomes.write_outcomes():
                break

    def _trim_outcomes(self) -> None:
        """About every ten seconds: remove outcomes that are too old or too many, in short steps."""
        now, settings = time.monotonic(), self._settings
        if now < self._trim_at:
            return
        self._trim_at = now + jittered(TRIM_SECONDS, SLIGHT)
        for _ in range(TRIM_STEPS):
            if not self._outcomes.trim_outcomes(settings.outcome_retention_seconds, settings.max_outcomes):
                break

    def _end_idle_lanes(self) -> None:
        """About every ten seconds: end idle lanes among the next ones. They may wait: they have been idle for a day."""
        now = time.monotonic()
        if now < self._idle_lanes_at:
            return
        self._idle_lanes_at = now + jittered(IDLE_LANES_SECONDS, SLIGHT)
        cursor, ended = self._store.end_idle_lanes(self._idle_lanes_cursor, IDLE_LANES_BATCH)
        self._idle_lanes_cursor = cursor
        for location in ended:
            log.info("lane_ended", location=location)

    def _listen(self) -> float | None:
        """Wake the dispatcher when an enqueue made a lane due earlier than all others."""
        try:
            with self._store.client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
                channel.subscribe(self._store.key("wake"))
                while not self._stopping.is_set():
                    if channel.get_message(timeout=LISTEN_SECONDS):
                        self._wakeup.wake()
                        self._shifts.changed.set()
        except (redis.ConnectionError, redis.TimeoutError):
            raise
        except redis.RedisError as error:
            # Redis refuses the subscription. Everything else may work; jobs then wait for the next poll.
            log.warning("wake_channel_refused", error=str(error))
            return SUBSCRIBE_RETRY_SECONDS
        return None
