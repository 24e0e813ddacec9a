"""Celery's remote control can only query a worker, not change it.

Control messages need no more than access to the broker, and Flower has buttons for them. Stop a worker by a signal, and
a lane by `lanes hold`.
"""

from celery.worker.control import Panel

ALLOWED_COMMANDS = {
    *("active", "active_queues", "clock", "conf", "hello", "ping", "query_task", "registered", "report"),
    *("reserved", "revoked", "scheduled", "stats"),
}


def restrict_remote_control() -> None:
    """Remove all other commands of remote control in this process. Celery logs an unknown command and ignores it."""
    for name in set(Panel.data) - ALLOWED_COMMANDS:
        del Panel.data[name]
    # Flower sends this to every worker that it sees.
    Panel.data["enable_events"] = lambda *_, **__: {"ok": "events are on"}
