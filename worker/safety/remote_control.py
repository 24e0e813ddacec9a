"""Celery's remote control can only query a worker, not change it. `heartbeat` asks for the event that it sends anyway.

Control messages need no more than access to the broker, and Flower has buttons for them. Stop a worker by a signal, and
a lane by `lanes hold`.
"""

import logging
from functools import partial

from celery.worker.control import Panel

log = logging.getLogger("celery.worker.pidbox")  # Celery's own: its lines are throttled

ALLOWED_COMMANDS = {
    *("active", "active_queues", "clock", "conf", "heartbeat", "hello", "ping", "query_task", "registered", "report"),
    *("reserved", "revoked", "scheduled", "stats"),
}


def restrict_remote_control() -> None:
    """Refuse all other commands of remote control in this process, with a line in the log."""
    for name in set(Panel.data) - ALLOWED_COMMANDS:
        Panel.data[name] = partial(_refuse, name)
    # Flower sends this to every worker that it sees.
    Panel.data["enable_events"] = lambda *_, **__: {"ok": "events are on"}


def _refuse(name: str, *_: object, **__: object) -> dict[str, str]:
    log.warning("remote control: %s is refused", name)
    return {"error": f"{name} is refused: stop a worker by a signal, and a lane by lanes hold"}
