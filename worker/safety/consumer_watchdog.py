"""The watchdog: finds a worker that is alive but takes no work, restarts its consumer, and ends it if that fails.

Celery's consumer on Redis sometimes reads nothing after a reconnect (celery issues 8030, 8091, 9054, 10205). A shift
that begins proves that all is well: its message went to the broker, came back through the consumer, and got a slot of
the pool. The dispatcher starts one regularly even if nothing is due, so an idle, held or throttled worker gives this
sign. A worker without a free slot gives it when a shift ends.
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
from worker.shared_flag import SharedFlag

log = structlog.get_logger()

CHECKS = 12  # in the longest allowed silence
HEARTBEATS = 3
EX_SOFTWARE = 70  # sysexits.h: an internal error; the service manager restarts the worker


class WatchdogAction(Enum):
    """What to do."""

    NOTHING = "nothing"
    RESTART = "restart"
    END = "end"


def max_silence_seconds(settings: WorkerSettings) -> float:
    """Return how long no shift may begin: longer than any working shift lasts."""
    return max(settings.watchdog_seconds, settings.shift_seconds + 3 * settings.http_timeout_seconds)


class SilenceDetector:
    """Measures how long no shift has begun while one could have. Pure: times in seconds, of any clock.

    Time in which Redis is unavailable, or in which this process did not run, does not count.
    """

    def __init__(self, max_seconds: float) -> None:
        self._max_seconds = max_seconds
        self._checked_at: float | None = None
        self._shifts_begun = 0
        self._silent = 0.0
        self._restarted = False

    def check(self, now: float, shifts_begun: int, *, redis_answers: bool) -> WatchdogAction:
        """Return what to do. `shifts_begun` is the number of shifts that have begun until now."""
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
    """Watches one worker from start to end, across restarts of its consumer.

    Args:
        settings: for the longest allowed silence.
        shifts_begun: returns how many shifts have begun.
        ping: asks Redis something, and raises an error if that fails.
        stop: set when the worker takes no more jobs; the watchdog sets it before it ends the worker.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        shifts_begun: Callable[[], int],
        ping: Callable[[], object],
        stop: SharedFlag,
    ) -> None:
        self._max_seconds = max_silence_seconds(settings)
        self._request_seconds = settings.http_timeout_seconds
        self._shifts_begun, self._ping, self._stop = shifts_begun, ping, stop
        self._silence = SilenceDetector(self._max_seconds)
        self.consumer: Any = None  # the last one that started
        self.pause = self._max_seconds / CHECKS  # seconds between checks
        self._heartbeat_at = time.monotonic()

    def needs_heartbeat(self) -> bool:
        """Return whether to start a shift although nothing is due: True at regular intervals."""
        now = time.monotonic()
        if now - self._heartbeat_at < self._max_seconds / HEARTBEATS:
            return False
        self._heartbeat_at = now
        return True

    def check(self) -> None:
        """Restart the consumer if the worker takes no work; end the worker if that did not help."""
        if self._stop:
            return
        action = self._silence.check(time.monotonic(), self._shifts_begun(), redis_answers=self._redis_answers())
        if action is WatchdogAction.RESTART:
            log.error("worker_stuck", seconds=self._max_seconds, does="restarts its consumer")
            restart(self.consumer)
        elif action is WatchdogAction.END:
            self._end()

    def _redis_answers(self) -> bool:
        try:
            self._ping()
        except (LanesError, OSError):
            return False
        return True

    def _end(self) -> None:
        """End the process after its open requests."""
        line = f"the worker takes no work, though its consumer was restarted; it ends with status {EX_SOFTWARE}"
        print(f"lanes: {line}", file=sys.__stderr__, flush=True)
        self._stop.set()
        time.sleep(self._request_seconds)
        for pid in children(self.consumer):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os._exit(EX_SOFTWARE)


def restart(consumer: Any) -> None:
    """Make a consumer reconnect, as after a lost connection."""
    consumer.app.amqp.queues.select_add(worker_direct(consumer.hostname))  # it may have been cancelled by a message
    connection = consumer.connection

    def lose() -> None:
        if consumer.connection is connection:
            message = "closed by the watchdog"
            raise ConnectionError(message)

    consumer.call_soon(lose)
    # For a loop that is blocked in a read, or that swallows errors.
    for each in sockets(connection):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
