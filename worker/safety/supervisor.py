"""The supervisor: runs background loops in threads, restarts a loop that fails, and stops all of them together."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import redis
import structlog
from kombu.exceptions import KombuError

from lanes.errors import LanesError, ScriptError
from lanes.retry_loop import RetryLoop, jittered

log = structlog.get_logger()

AWAY_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 60.0
JOIN_SECONDS = 2.0
# Redis or the broker is unavailable: not a failure of the loop, and logged elsewhere.
AWAY = (LanesError, redis.RedisError, OSError, KombuError)


@dataclass(frozen=True, slots=True)
class Loop:
    """A background loop.

    `step` does the work once and returns the seconds until it is called again, None to end the loop. Setting `wake`
    ends the pause. `away` is called when Redis is unavailable; the next step follows after about `away_seconds`. A
    broken key is not that: the loop fails.
    """

    name: str
    step: Callable[[], float | None]
    first: float = 0.0
    wake: threading.Event = field(default_factory=threading.Event)
    away: Callable[[Exception], object] | None = None
    away_seconds: float = AWAY_SECONDS


def every(name: str, seconds: float, work: Callable[[], object]) -> Loop:
    """Return a loop that works once in this interval, the first time after one interval."""

    def step() -> float:
        work()
        return seconds

    return Loop(name, step, first=seconds, away_seconds=seconds)


class LoopFailures:
    """Counts the unexpected failures of each loop of a process. Each kind of failure is logged once. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._logged: set[tuple[str, str]] = set()

    @property
    def counts(self) -> Mapping[str, int]:
        """Loop name -> number of failures, for every loop that was started."""
        with self._lock:
            return dict(self._counts)

    def add(self, name: str) -> None:
        """Add a loop, with no failures yet."""
        with self._lock:
            self._counts.setdefault(name, 0)

    def note(self, name: str, error: Exception, pause: float) -> None:
        """Count a failure, and log it unless one of its kind was logged before."""
        kind = (name, type(error).__qualname__)
        with self._lock:
            self._counts[name] += 1
            new = kind not in self._logged
            self._logged.add(kind)
        if new:
            log.error("loop_failed", loop=name, restarts_in=round(pause, 1), exc_info=error)


class Supervisor:
    """Loops that run and stop together."""

    def __init__(self, failures: LoopFailures | None = None) -> None:
        self.failures = failures or LoopFailures()
        self.stopping = threading.Event()
        self._loops: dict[threading.Thread, Loop] = {}

    def start(self, loop: Loop) -> None:
        """Run a loop in its own thread until it ends or `stop` is called.

        Raises:
            RuntimeError: no thread can be started.
        """
        self.failures.add(loop.name)
        thread = threading.Thread(target=self._run, args=(loop,), name=loop.name, daemon=True)
        self._loops[thread] = loop
        try:
            thread.start()
        except RuntimeError:
            del self._loops[thread]
            raise

    def stop(self, within: float = JOIN_SECONDS) -> None:
        """Stop all loops and wait for them at most this long; one that waits for Redis may end later."""
        self.stopping.set()
        loops = dict(self._loops)
        for loop in loops.values():
            loop.wake.set()
        ends_at = time.monotonic() + within
        for thread in loops:
            if thread is not threading.current_thread():
                thread.join(max(0.0, ends_at - time.monotonic()))

    def _run(self, loop: Loop) -> None:
        pauses = RetryLoop(FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS)
        pause: float | None = loop.first
        while pause is not None and not self._wait(loop, pause):
            try:
                pause = _step(loop)
            except Exception as error:  # noqa: BLE001 - a loop continues, whatever its step raises
                failed_for = pauses.next_pause()
                self.failures.note(loop.name, error, failed_for)
                self.stopping.wait(failed_for)
                pause = 0.0
            else:
                pauses = RetryLoop(FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS)
        self._loops.pop(threading.current_thread(), None)

    def _wait(self, loop: Loop, pause: float) -> bool:
        """Wait until the next step; return whether the loop is stopped."""
        if pause > 0 and not self.stopping.is_set():
            loop.wake.wait(None if pause == math.inf else pause)
            loop.wake.clear()
        return self.stopping.is_set()


def _step(loop: Loop) -> float | None:
    try:
        return loop.step()
    except ScriptError:
        raise  # a stored key is broken: no outage
    except AWAY as error:
        if loop.away is not None:
            loop.away(error)
        return jittered(loop.away_seconds)
