"""Logs: one line for each event on standard error, readable on a terminal and JSON elsewhere.

The lines of Celery, Flower, Tornado, redis-py and Python's warnings have the same form. `LANES_LOG_LEVEL` is the level
of our own lines; the options of the programs (`--loglevel`, `--logging`) set that of the others.
"""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Sequence
from logging.handlers import WatchedFileHandler
from typing import Any

import structlog
from billiard.util import get_logger as get_pool_logger

from lanes.settings import DashboardSettings
from worker.logging.processors import RedactSecrets, sanitize_event, secrets_of
from worker.logging.throttle import LogThrottle


class LogOutput(logging.Handler):
    """Writes each line in one call, to standard error or to a file that may be rotated.

    A line that cannot be written is dropped, so that a closed terminal or a full disk stops no delivery.
    """

    def __init__(self, path: str | None = None) -> None:
        super().__init__()
        self._file = WatchedFileHandler(path, encoding="utf-8") if path else None
        self.terminal = path is None and sys.stderr is not None and sys.stderr.isatty()
        self.addFilter(LogThrottle())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line of another library."""
        try:
            self._write(self.format(record))
        except Exception:  # noqa: BLE001 - as in every handler
            self.handleError(record)

    def put(self, line: str) -> None:
        """Write one of our own lines."""
        # The lock of a handler is renewed after a fork, unlike other locks.
        with self.lock or contextlib.nullcontext():
            self._write(line)

    def _write(self, line: str) -> None:
        data = (line + "\n").encode("utf-8", "backslashreplace")
        with contextlib.suppress(OSError, ValueError):
            stream = sys.stderr
            if self._file is not None:
                self._file.reopenIfNeeded()
                stream = self._file.stream or stream
            number = stream.fileno()
            while data:
                data = data[os.write(number, data) :]


class OutputLogger:
    """What structlog calls to write one of our own lines."""

    def __init__(self, *_: Any) -> None:
        pass

    def msg(self, line: str) -> None:
        """Write it to the current output."""
        _output.put(line)

    debug = info = warning = error = critical = exception = msg


_output = LogOutput()


def configure_logging(settings: DashboardSettings, path: str | None = None) -> None:
    """Write all lines of this process in one form, to standard error or the file at `path`.

    The level of the root logger applies to the lines of other libraries.
    """
    global _output  # noqa: PLW0603 - one for each process, like standard error
    root = logging.getLogger()
    for handler in root.handlers[:]:  # Tornado's handler would write each line a second time
        if handler is _output or type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
    _output = LogOutput(path)
    finish = _finish(_output.terminal, secrets_of(settings))
    _output.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _add_suppressed_count, *_BEGIN],
        )
    )
    structlog.configure(
        processors=[*_BEGIN, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=OutputLogger,
        cache_logger_on_first_use=True,  # else each filtered line would make a logger first
    )
    root.addHandler(_output)
    logging.captureWarnings(capture=True)
    if threading.excepthook is threading.__excepthook__:  # keep that of a test run
        threading.excepthook = _thread_failed


def configure_celery_logging(settings: DashboardSettings, level: int | str, path: str | None) -> None:
    """Apply Celery's `--loglevel` and `--logfile`, in our form."""
    configure_logging(settings, path)
    root = logging.getLogger()
    for handler in [one for one in root.handlers if one is not _output]:
        root.removeHandler(handler)
    root.setLevel(level)
    pool = get_pool_logger()
    pool.handlers = [_output]
    pool.setLevel(logging.ERROR)


_BEGIN: Sequence[structlog.types.Processor] = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def _finish(terminal: bool, secrets: Sequence[str]) -> list[structlog.types.Processor]:
    render: structlog.types.Processor = structlog.processors.JSONRenderer()
    if terminal:
        # Plain traces: pretty ones show the values of variables.
        render = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return [structlog.processors.format_exc_info, RedactSecrets(secrets), sanitize_event, render]


def _add_suppressed_count(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    suppressed = getattr(event["_record"], "suppressed", 0)
    if suppressed:
        event["suppressed"] = suppressed
    return event


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_type is not SystemExit:
        trace = (failed.exc_type, failed.exc_value, failed.exc_traceback)
        name = failed.thread.name if failed.thread else None
        structlog.get_logger().error("thread_failed", thread=name, exc_info=trace)
