"""Drops repeated log lines: Celery, Flower and the gateway log each try to reach Redis, and Celery logs each shift."""

import logging
import time
from collections.abc import Mapping

from worker.task_names import SHIFT_TASK

REMIND_SECONDS = 60.0

# They repeat the same message while Redis is unavailable.
THROTTLED_LOGGERS = (
    "celery.bootsteps",
    "celery.worker.consumer",
    "celery.worker.pidbox",
    "kombu",
    "flower.events",
    "flower.inspector",
    "producers.gateway.redis",
)
MAX_REMEMBERED = 1_000


class LogThrottle(logging.Filter):
    """Passes each warning of these loggers once a minute, with the number of suppressed lines.

    Lines about a shift's begin and end pass only with `--loglevel debug`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, str], float] = {}
        self._suppressed: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write this line."""
        if record.name == "py.warnings" and "CPendingDeprecationWarning" in record.getMessage():
            return False  # about defaults of later versions of Celery, after each loss of Redis
        if record.levelno == logging.INFO and isinstance(record.args, Mapping):
            return record.args.get("name") != SHIFT_TASK or logging.getLogger().level <= logging.DEBUG
        if record.levelno < logging.WARNING or not record.name.startswith(THROTTLED_LOGGERS):
            return True
        if record.name == "celery.bootsteps":
            record.exc_info = record.exc_text = None  # a trace of a hundred lines
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
