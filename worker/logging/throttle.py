"""Quiet while nothing changes: of what Celery and Flower say on each try to reach Redis, once, and a reminder now and
then; of what Celery says of each shift, nothing.
"""

import logging
import time
from collections.abc import Mapping

from worker.task_names import SHIFT_TASK

REMIND_SECONDS = 60.0

# Who repeats itself, word for word but for times and causes, as long as something is away.
THROTTLED_LOGGERS = (
    "celery.bootsteps",
    "celery.worker.consumer",
    "celery.worker.pidbox",
    "kombu",
    "flower.events",
    "flower.inspector",
)
MAX_REMEMBERED = 1_000


class LogThrottle(logging.Filter):
    """Lets a warning of these loggers pass once a minute; the next one that passes tells how many were left out.

    That a shift began or ended is no news: what it sent has lines of its own. Only with `--loglevel debug` it is told.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, str], float] = {}
        self._suppressed: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a line."""
        if record.name == "py.warnings" and "CPendingDeprecationWarning" in record.getMessage():
            return False  # what a later Celery will do by default, at each loss of Redis
        if record.levelno == logging.INFO and isinstance(record.args, Mapping):
            return record.args.get("name") != SHIFT_TASK or logging.getLogger().level <= logging.DEBUG
        if record.levelno < logging.WARNING or not record.name.startswith(THROTTLED_LOGGERS):
            return True
        if record.name == "celery.bootsteps":
            record.exc_info = record.exc_text = None  # a hundred lines of how a client failed to connect
        about, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._passed.get(about, -REMIND_SECONDS) < REMIND_SECONDS:
            self._suppressed[about] = self._suppressed.get(about, 0) + 1
            return False
        if len(self._passed) >= MAX_REMEMBERED:
            self._passed.clear()
            self._suppressed.clear()
        self._passed[about] = now
        record.suppressed = self._suppressed.pop(about, 0)
        return True
