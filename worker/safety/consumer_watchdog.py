"""The watchdog: sees a worker that is alive and takes no work, lets it consume anew, and ends it if that does not help.

Celery's consumer on Redis has been seen to go on without reading anything after a reconnect (celery issues 8030, 8091,
9054, 10205). The sign that nothing is wrong is a shift that begins: its message went out to the broker, came back
through the consumer, and the pool had a slot for it. The dispatcher sees to it that one begins now and then, even if
nothing is due; so a worker that is idle, held or throttled gives that sign, and one whose slots are all taken gives it
when a shift ends.
"""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from enum import Enum
from typing import Any

import structlog
from celery.utils.nodenames import worker_direct

from lanes.errors import LanesError
from lanes.settings import WorkerSettings
from worker.safety.patches_for_celery import children
from worker.safety.patches_for_kombu import sockets

log = structlog.get_logger()

CHECKS = 12  # in the time after which nothing is too long
HEARTBEATS = 3
# sysexits.h: an internal fault; whoever supervises the worker starts it anew.
EX_SOFTWARE = 70


class WatchdogAction(Enum):
    """What is to be done."""

    NOTHING = "nothing"
    RESTART = "restart"
    END = "end"


def max_silence_seconds(settings: WorkerSettings) -> float:
    """Return for how many seconds no shift may begin: longer than any shift that does its work."""
    return max(settings.watchdog_seconds, settings.shift_seconds + 3 * settings.http_timeout_seconds)


class SilenceDetector:
    """For how long no shift has begun while one could have. Pure: times in seconds, by any clock.

    Time in which Redis is away does not count, nor does time in which this process did not run.
    """

    def __init__(self, max_seconds: float) -> None:
        self._max_seconds = max_seconds
        self._checked_at: float | None = None
        self._shifts_begun = 0
        self._silent = 0.0
        self._restarted = False

    def check(self, now: float, shifts_begun: int, *, redis_answers: bool) -> WatchdogAction:
        """Return what to do, `shifts_begun` shifts having begun until now."""
        passed = 0.0 if self._checked_at is None else now - self._checked_at
        self._checked_at = now
        if shifts_begun != self._shifts_begun:
            self._shifts_begun, self._silent, self._restarted = shifts_begun, 0.0, False
            return WatchdogAction.NOTHING
        if not redis_answers:
            self._silent = 0.0
            return WatchdogAction.NOTHING
        self._silent += min(passed, 2 * self._max_seconds / CHECKS)
        if self._silent < self._max_seconds:
            return WatchdogAction.NOTHING
        self._silent = 0.0
        if self._restarted:
            return WatchdogAction.END
        self._restarted = True
        return WatchdogAction.RESTART


class ConsumerWatchdog:
    """Watches one worker from its first start to its end, over all restarts of its consumer.

    Args:
        begun: tells how many shifts have begun.
        answers: asks Redis something, and raises what goes wrong.
        stopping: tells whether the worker is to end anyway.
        rest: lets the worker take no further job.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        shifts_begun: Callable[[], int],
        ping: Callable[[], object],
        stopping: Callable[[], bool],
        stop_taking_jobs: Callable[[], None],
    ) -> None:
        self._max_seconds = max_silence_seconds(settings)
        self._last_request = settings.http_timeout_seconds
        self._shifts_begun, self._ping, self._stopping, self._stop_taking_jobs = (
            shifts_begun,
            ping,
            stopping,
            stop_taking_jobs,
        )
        self._silence = SilenceDetector(self._max_seconds)
        self._consumer: Any = None
        self._heartbeat_at = time.monotonic()

    def watch(self, consumer: Any) -> None:
        """The consumer is up, for the first time or again."""
        self._consumer = consumer

    def needs_heartbeat(self) -> bool:
        """Return whether a shift should begin although nothing is due: true once in a while."""
        now = time.monotonic()
        if now - self._heartbeat_at < self._max_seconds / HEARTBEATS:
            return False
        self._heartbeat_at = now
        return True

    @property
    def pause(self) -> float:
        """For how many seconds to wait from look to look."""
        return self._max_seconds / CHECKS

    def check(self) -> None:
        """See whether the worker takes work; if not, let it consume anew, and end it the next time."""
        if self._stopping():
            return
        step = self._silence.check(time.monotonic(), self._shifts_begun(), redis_answers=self._redis_answers())
        if step is WatchdogAction.RESTART:
            log.error("worker_stuck", seconds=self._max_seconds, does="starts its consumer anew")
            restart(self._consumer)
        elif step is WatchdogAction.END:
            self._end()

    def _redis_answers(self) -> bool:
        try:
            self._ping()
        except (LanesError, OSError):
            return False
        return True

    def _end(self) -> None:
        """Let the requests that are on their way end, and then the process."""
        line = f"the worker takes no work, though its consumer was started anew; it ends with status {EX_SOFTWARE}"
        print(f"lanes: {line}", file=sys.__stderr__, flush=True)
        self._stop_taking_jobs()
        time.sleep(self._last_request)
        for pid in children(self._consumer):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os._exit(EX_SOFTWARE)


def restart(consumer: Any) -> None:
    """Let a consumer connect anew, in the way in which it answers a lost connection."""
    consumer.app.amqp.queues.select_add(worker_direct(consumer.hostname))  # somebody may have cancelled it
    connection = consumer.connection

    def lose() -> None:
        if consumer.connection is connection:
            message = "given up by the watchdog"
            raise ConnectionError(message)

    consumer.call_soon(lose)
    # Should the loop stand still in the middle of a read, or be one that swallows what is raised in it.
    for each in sockets(connection):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
