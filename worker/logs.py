"""Logs: JSON off a terminal, readable on one."""

import logging
import os
import sys

import structlog


def configure_logs() -> None:
    """Send our log lines to standard error, from the level `LANES_LOG_LEVEL` on (default: info)."""
    terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    level = logging.getLevelNamesMapping().get(os.environ.get("LANES_LOG_LEVEL", "INFO").upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
