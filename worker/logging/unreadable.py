"""Logs what of the stored data cannot be read: each key once an hour, not with each read."""

import threading
import time

import structlog

log = structlog.get_logger()

REMIND_SECONDS = 3600.0
MAX_REMEMBERED = 1000


class Reminder:
    """Says when to log the same line again. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._logged_at: dict[str, float] = {}

    def passes(self, line: str) -> bool:
        """Return whether this line was not logged for a while."""
        now = time.monotonic()
        with self._lock:
            if now - self._logged_at.get(line, -REMIND_SECONDS) < REMIND_SECONDS:
                return False
            if len(self._logged_at) >= MAX_REMEMBERED:
                self._logged_at.clear()
            self._logged_at[line] = now
            return True


_reminder = Reminder()


def log_unreadable(key: str, problem: str) -> None:
    """Log a key and what in it cannot be read; the argument `unreadable` of a store."""
    if _reminder.passes(f"{key}: {problem}"):
        log.error("stored_value_unreadable", key=key, problem=problem, advice="lanes check --repair shows the repair")
