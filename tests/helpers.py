"""Helpers of many tests."""

import time
from collections.abc import Callable
from typing import Any

DEADLINE_SECONDS = 120.0  # far beyond what any machine needs
POLL_SECONDS = 0.02


def until(so: Callable[[], object], what: str = "the condition", seconds: float = DEADLINE_SECONDS) -> Any:
    """Wait until `so` returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := so()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(POLL_SECONDS)
    return found


def row(location: str, contact: str, **fields: object) -> dict[str, object]:
    """Return the body of an upsert."""
    return {"pipelineId": "pipe", "locationId": location, "contactId": contact, **fields}
