"""Durations of the attempts of a process, written in batches: statistics, not accounts."""

import contextlib
import threading
import time
from collections import Counter

from lanes.activity.series import bucket_of_answer, bucket_of_wait
from lanes.errors import LanesError
from lanes.queue.results import Result
from lanes.queue.store import LaneStore

WRITE_SECONDS = 1.0


class Statistics:
    """Collects durations and writes them about once a second. A killed process loses those since. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._durations: Counter[str] = Counter()
        self._written_at = 0.0

    def add(self, result: Result) -> None:
        """Count the durations of an attempt that was reported."""
        with self._lock:
            if result.elapsed is not None:
                self._durations[bucket_of_answer(result.elapsed)] += 1
            if result.wait is not None:
                self._durations[bucket_of_wait(result.wait)] += 1

    def write(self, store: LaneStore, *, soon: bool = False) -> None:
        """Write what was collected; with `soon`, only if nothing was written for WRITE_SECONDS.

        What cannot be written is dropped: after an error Redis may have counted it.
        """
        now = time.monotonic()
        with self._lock:
            if not self._durations or (soon and now - self._written_at < WRITE_SECONDS):
                return
            durations, self._durations, self._written_at = self._durations, Counter(), now
        with contextlib.suppress(LanesError):
            store.record_statistics(durations)
