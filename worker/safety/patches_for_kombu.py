"""What this project changes in kombu's Redis transport, and reads of its private parts. Nothing else touches them.

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
    """Patch `Channel.close`: a channel leaves nothing open, even if Redis is away while it is closed.

    kombu first asks Redis for something. If that fails, it keeps its sockets and the channel: two descriptors for each
    time that Redis was away, until the process may open no more. Messages in hand stay in Redis, and another worker
    gets them after the visibility timeout.
    """
    channels: Any = transport.Channel
    close = channels.close

    @functools.wraps(close)
    def closed(channel: Any) -> None:
        try:
            close(channel)
        except Exception:  # noqa: BLE001 - whatever Redis, or a connection that is half gone, brings
            for step in (channel._disconnect_pools, channel._close_clients, super(channels, channel).close):  # noqa: SLF001
                with contextlib.suppress(Exception):
                    step()

    channels.close = closed


def patch_message_parsing() -> None:
    """Patch the transport's `loads`: text that is no message is read as an unknown message, and dropped.

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
    return {
        "body": "",
        "content-type": "text/plain",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": properties,
    }


def sockets(connection: Any) -> Iterator[Any]:
    """Yield the open sockets of a broker connection, so that the watchdog can shut them. Opens none."""
    opened = getattr(connection, "_transport", None)
    for channel in list(getattr(opened, "channels", None) or ()):
        for name in ("client", "subclient"):  # made when first used
            client = vars(channel).get(name)
            found = getattr(getattr(client, "connection", None), "_sock", None)
            if found is not None:
                yield found
