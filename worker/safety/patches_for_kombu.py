"""All patches of kombu's Redis transport, and all uses of its private parts.

Tested against the pinned minor version: `tests/worker/safety/test_private_parts.py`.
"""

import contextlib
import functools
import json
import uuid
from collections.abc import Iterator
from typing import Any

from kombu.transport import redis as transport


def patch_channel_close() -> None:
    """Patch `Channel.close`: a channel closes its sockets even if Redis is unavailable.

    kombu first sends Redis a command. If that fails, it keeps the sockets and the channel: two descriptors for each
    outage, until the process can open no more. Unacknowledged messages stay in Redis, and another worker gets them
    after the visibility timeout.
    """
    channels: Any = transport.Channel
    close = channels.close

    @functools.wraps(close)
    def closed(channel: Any) -> None:
        try:
            close(channel)
        except Exception:  # noqa: BLE001 - a half-closed connection may raise anything
            for step in (channel._disconnect_pools, channel._close_clients, super(channels, channel).close):  # noqa: SLF001
                with contextlib.suppress(Exception):
                    step()

    channels.close = closed


def patch_message_parsing() -> None:
    """Patch the transport's `loads`: text that is not a message is read as an unknown message, which Celery drops.

    In kombu it ends the worker.
    """
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
    kind = {"content-type": "text/plain", "content-encoding": "utf-8"}
    return {"body": "", **kind, "headers": {}, "properties": properties}


def sockets(connection: Any) -> Iterator[Any]:
    """Yield the open sockets of a broker connection, for the watchdog. Opens none."""
    opened = getattr(connection, "_transport", None)
    for channel in list(getattr(opened, "channels", None) or ()):
        for name in ("client", "subclient"):  # made when first used
            client = vars(channel).get(name)
            found = getattr(getattr(client, "connection", None), "_sock", None)
            if found is not None:
                yield found
