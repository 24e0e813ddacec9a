"""What strangers can do to a worker by message: ask it questions. They cannot change it, nor fill its log with content.

Whoever reaches the broker can send control messages, and Flower has buttons for them. A worker is stopped by a signal,
and a lane by `lanes hold`; nobody needs to do it by message.
"""

from celery.worker.control import Panel

ALLOWED_COMMANDS = frozenset(
    {
        *("active", "active_queues", "clock", "conf", "hello", "ping", "query_task", "registered", "report"),
        *("reserved", "revoked", "scheduled", "stats"),
    }
)


def restrict_remote_control() -> None:
    """From now on this process knows no other commands of remote control; an unknown one is logged and does nothing."""
    for name in set(Panel.data) - ALLOWED_COMMANDS:
        del Panel.data[name]
    Panel.data["enable_events"] = _events_are_on


def _events_are_on(*_: object, **__: object) -> dict[str, str]:
    """Answer Flower, which asks every worker that it hears of to send events: they are always on."""
    return {"ok": "events are on"}
