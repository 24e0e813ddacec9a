"""All patches of Celery, and all uses of its private parts.

Tested against the pinned minor version: `tests/worker/safety/test_private_parts.py`.
"""

from typing import Any

from celery.events.dispatcher import EventDispatcher
from celery.worker.consumer import consumer


def patch_body_dump() -> None:
    """Patch `dump_body`: Celery logs an unusable message without its content, which may be rows for us."""
    consumer.dump_body = lambda message, body: f"({len(message.body or body or '')} bytes, not shown)"


def children(consumer: Any) -> list[int]:
    """Return the process ids of a worker's pool; empty if its pool has no processes."""
    pool = getattr(getattr(consumer, "pool", None), "_pool", None)
    processes = getattr(pool, "_pool", None)
    known = processes if isinstance(processes, list) else []
    return [process.pid for process in known if getattr(process, "pid", None)]


def unsent_events(dispatcher: EventDispatcher) -> int:
    """Return how many events wait in a dispatcher: in batches, and after the broker did not accept them."""
    batches = sum(len(batch) for batch in list(dispatcher._group_buffer.values()))  # noqa: SLF001
    return batches + len(dispatcher._outbound_buffer)  # noqa: SLF001
