"""Logs: one line an event on standard error, JSON off a terminal and readable on one; our own lines, and those of
Celery, Flower, Tornado, redis-py and Python's warnings alike.

Our own go from `LANES_LOG_LEVEL` on, the others by the options of their programs (`--loglevel`, `--logging`).
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
    """Where all lines go, each in one write: standard error, or a file that may be rotated away.

    What cannot be written is dropped: a closed terminal or a full disk stops no delivery.
    """

    def __init__(self, path: str | None = None) -> None:
        super().__init__()
        self._file = WatchedFileHandler(path, encoding="utf-8") if path else None
        self.terminal = path is None and sys.stderr is not None and sys.stderr.isatty()
        self.addFilter(LogThrottle())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line of somebody else's."""
        try:
            self._write(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)

    def put(self, line: str) -> None:
        """Write a line of ours."""
        # The lock of a handler, unlike others, is a new one in a process that was forked while somebody held it.
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
    """What structlog calls when a line of ours is ready."""

    def __init__(self, *_: Any) -> None:
        pass

    def msg(self, line: str) -> None:
        """Write it to wherever lines go now."""
        _output.put(line)

    debug = info = warning = error = critical = exception = msg


_output = LogOutput()


def configure_logging(settings: DashboardSettings, path: str | None = None) -> None:
    """Let all lines of this process go out in one form, to standard error or the file at `path`.

    Of what others log, from the level on that the root logger has.
    """
    global _output  # noqa: PLW0603 - one for a process, as its standard error
    root = logging.getLogger()
    for handler in root.handlers[:]:  # else whoever set up Tornado's before would write each line a second time
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
        cache_logger_on_first_use=True,  # else each line that is filtered out makes a logger first
    )
    root.addHandler(_output)
    logging.captureWarnings(capture=True)
    if threading.excepthook is threading.__excepthook__:  # nobody else's, such as that of a test run
        threading.excepthook = _thread_failed


def configure_celery_logging(settings: DashboardSettings, level: int | str, path: str | None) -> None:
    """Do what Celery's own set-up does with `--loglevel` and `--logfile`, in our form."""
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
        # Plain traces: pretty ones show the values of variables, and those may hold anything.
        render = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return [structlog.processors.format_exc_info, RedactSecrets(secrets), sanitize_event, render]


def _add_suppressed_count(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Tell how many lines like this one were left out since the last."""
    suppressed = getattr(event["_record"], "suppressed", 0)
    if suppressed:
        event["suppressed"] = suppressed
    return event


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_type is not SystemExit:
        trace = (failed.exc_type, failed.exc_value, failed.exc_traceback)
        name = failed.thread.name if failed.thread else None
        structlog.get_logger().error("thread_failed", thread=name, exc_info=trace)
