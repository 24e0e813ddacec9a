"""What this project changes in Celery, and reads of its private parts. Nothing else touches them.

Tested against the pinned minor version: `tests/worker/safety/test_private_parts.py`.
"""

from typing import Any

from celery.events.dispatcher import EventDispatcher
from celery.worker.consumer import consumer


def patch_body_dump() -> None:
    """Patch `dump_body`: a message that Celery cannot use is logged without its content, which may be rows for us."""
    consumer.dump_body = lambda message, body: f"({len(message.body or body or '')} bytes, not shown)"


def children(consumer: Any) -> list[int]:
    """Return the process ids of a worker's pool; empty if its pool has no processes."""
    pool = getattr(getattr(consumer, "pool", None), "_pool", None)
    processes = getattr(pool, "_pool", None)
    return (
        [process.pid for process in processes if getattr(process, "pid", None)] if isinstance(processes, list) else []
    )


def unsent_events(dispatcher: EventDispatcher) -> int:
    """Return how many events wait in a dispatcher: in batches, and those that the broker did not take."""
    batches = sum(len(batch) for batch in list(dispatcher._group_buffer.values()))  # noqa: SLF001
    return batches + len(dispatcher._outbound_buffer)  # noqa: SLF001
