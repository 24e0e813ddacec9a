"""How times are shown, on pages, in commands and in messages."""

from datetime import UTC, datetime


def format_time(seconds: float | None) -> str:
    """Return a time (seconds since the epoch) as ISO 8601 in UTC; `-` for None."""
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
