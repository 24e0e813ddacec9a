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
import threading
import time
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

import structlog
from celery.utils.nodenames import worker_direct

from lanes.errors import LanesError
from lanes.settings import Settings

log = structlog.get_logger()

LOOKS = 12  # in the time after which nothing is too long
PROOFS = 3
# sysexits.h: an internal fault; whoever supervises the worker starts it anew.
EX_SOFTWARE = 70


class Step(Enum):
    """What is to be done."""

    NOTHING = "nothing"
    RESTART = "restart"
    END = "end"


def longest_silence(settings: Settings) -> float:
    """Return for how many seconds no shift may begin: longer than any shift that does its work."""
    return max(settings.watchdog_seconds, settings.shift_seconds + 3 * settings.http_timeout_seconds)


class Silence:
    """For how long no shift has begun while one could have. Pure: times in seconds, by any clock.

    Time in which Redis is away does not count, nor does time in which this process did not run.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._looked_at: float | None = None
        self._begun = 0
        self._silent = 0.0
        self._restarted = False

    def look(self, now: float, begun: int, *, redis_answers: bool) -> Step:
        """Return what to do, `begun` shifts having begun until now."""
        passed = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        if begun != self._begun:
            self._begun, self._silent, self._restarted = begun, 0.0, False
            return Step.NOTHING
        if not redis_answers:
            self._silent = 0.0
            return Step.NOTHING
        self._silent += min(passed, 2 * self._most / LOOKS)
        if self._silent < self._most:
            return Step.NOTHING
        self._silent = 0.0
        if self._restarted:
            return Step.END
        self._restarted = True
        return Step.RESTART


class Watchdog:
    """Watches one worker from its first start to its end, over all restarts of its consumer.

    Args:
        begun: tells how many shifts have begun.
        answers: asks Redis something, and raises what goes wrong.
        stopping: tells whether the worker is to end anyway.
        rest: lets the worker take no further job.
    """

    def __init__(
        self,
        settings: Settings,
        begun: Callable[[], int],
        answers: Callable[[], object],
        stopping: Callable[[], bool],
        rest: Callable[[], None],
    ) -> None:
        self._most = longest_silence(settings)
        self._last_request = settings.http_timeout_seconds
        self._begun, self._answers, self._stopping, self._rest = begun, answers, stopping, rest
        self._silence = Silence(self._most)
        self._consumer: Any = None
        self._proved_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def watch(self, consumer: Any) -> None:
        """The consumer is up, for the first time or again."""
        self._consumer = consumer
        if not self._thread.is_alive():
            self._thread.start()

    def wants_proof(self) -> bool:
        """Return whether a shift should begin although nothing is due: true once in a while."""
        now = time.monotonic()
        if now - self._proved_at < self._most / PROOFS:
            return False
        self._proved_at = now
        return True

    def _run(self) -> None:
        while True:
            time.sleep(self._most / LOOKS)
            if self._stopping():
                continue
            step = self._silence.look(time.monotonic(), self._begun(), redis_answers=self._redis_answers())
            if step is Step.RESTART:
                log.error("worker_takes_no_work", seconds=self._most, does="starts its consumer anew")
                restart(self._consumer)
            elif step is Step.END:
                self._end()

    def _redis_answers(self) -> bool:
        try:
            self._answers()
        except (LanesError, OSError):
            return False
        return True

    def _end(self) -> None:
        """Let the requests that are on their way end, and then the process."""
        line = f"the worker takes no work, though its consumer was started anew; it ends with status {EX_SOFTWARE}"
        print(f"lanes: {line}", file=sys.__stderr__, flush=True)
        self._rest()
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


def sockets(connection: Any) -> Iterator[Any]:
    """Yield the sockets of a broker connection that are open."""
    transport = getattr(connection, "_transport", None)
    for channel in list(getattr(transport, "channels", None) or ()):
        for name in ("client", "subclient"):  # made when first used
            client = vars(channel).get(name)
            found = getattr(getattr(client, "connection", None), "_sock", None)
            if found is not None:
                yield found


def children(consumer: Any) -> list[int]:
    """Return the ids of the processes of a worker's pool, if it has any."""
    pool = getattr(getattr(consumer, "pool", None), "_pool", None)
    processes = getattr(pool, "_pool", None)
    return (
        [process.pid for process in processes if getattr(process, "pid", None)] if isinstance(processes, list) else []
    )
