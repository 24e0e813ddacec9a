"""Logs: JSON off a terminal, readable on one."""

import sys

import structlog


def configure_logs(level: str) -> None:
    """Send our log lines to standard error, from this level on: `debug`, `info`, `warning` or `error`."""
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,  # else each line that is filtered out makes a logger first
    )
