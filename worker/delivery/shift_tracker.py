"""The shifts of one worker, from sent to ended, and the Celery request of each."""

import threading
import time

from celery.worker import state as worker_state
from celery.worker.request import Request

from worker.task_names import SHIFT_TASK

LOST_SHIFT_SECONDS = 15.0


class ShiftTracker:
    """The shifts that this worker's dispatcher started and that have not ended. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[str, float] = {}
        self.accepted = 0
        self.changed = threading.Event()

    def mark_sent(self, shift_id: str) -> None:
        """Note that a shift's message is being sent."""
        with self._lock:
            self._sent[shift_id] = time.monotonic()

    def mark_started(self, shift_id: str) -> None:
        """Note that a shift is no longer on its way: it has a slot, or was not sent."""
        with self._lock:
            self._sent.pop(shift_id, None)

    def mark_accepted(self, shift_id: str) -> None:
        """Note that the pool has a slot for a shift."""
        self.mark_started(shift_id)
        with self._lock:
            self.accepted += 1

    @property
    def starting(self) -> int:
        """Shifts that were sent and have not begun, except those sent so long ago that the message must be lost."""
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


class ShiftRequest(Request):  # type: ignore[misc]
    """Reports to the worker's `ShiftTracker` when a shift begins."""

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """The pool has a slot for it."""
        self.app.runtime.shift_tracker.mark_accepted(self.id)
        super().on_accepted(pid, time_accepted)
