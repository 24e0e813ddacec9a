"""What strangers can do to a worker by message: ask it questions. They cannot change it, nor fill its log with content.

Whoever reaches the broker can send control messages, and Flower has buttons for them. A worker is stopped by a signal,
and a lane by `lanes hold`; nobody needs to do it by message.
"""

import json
import uuid
from typing import Any

from celery.worker.consumer import consumer
from celery.worker.control import Panel
from kombu.transport import redis as transport

ALLOWED_COMMANDS = frozenset(
    {
        *("active", "active_queues", "clock", "conf", "hello", "ping", "query_task", "registered", "report"),
        *("reserved", "revoked", "scheduled", "stats"),
    }
)


def patch_body_dump() -> None:
    """From now on Celery tells of a message that it cannot use, but not what is in it: it may be rows for us."""
    consumer.dump_body = lambda message, body: f"({len(message.body or body or '')} bytes, not shown)"


def patch_message_parsing() -> None:
    """From now on what is no message at all is thrown away as a message that nobody knows; else it ends the worker."""
    module: Any = transport
    module.loads = _read


def _read(text: str) -> Any:
    try:
        found = json.loads(text)
        if isinstance(found, list) or (found["properties"]["delivery_tag"] and found["properties"]["delivery_info"]):
            return found
    except (LookupError, RecursionError, TypeError, ValueError):
        pass
    tag, info = str(uuid.uuid4()), {"exchange": "", "routing_key": ""}
    properties = {"delivery_tag": tag, "delivery_info": info, "body_encoding": None}
    return {
        "body": "",
        "content-type": "text/plain",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": properties,
    }


def restrict_remote_control() -> None:
    """From now on this process knows no other commands of remote control; an unknown one is logged and does nothing."""
    for name in set(Panel.data) - ALLOWED_COMMANDS:
        del Panel.data[name]
    Panel.data["enable_events"] = _events_are_on


def _events_are_on(*_: object, **__: object) -> dict[str, str]:
    """Answer Flower, which asks every worker that it hears of to send events: they are always on."""
    return {"ok": "events are on"}
