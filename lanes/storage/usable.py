"""Refuses a Redis with which this version cannot work: the kind of server, and the layout of its data."""

from typing import Any

from redis.exceptions import ResponseError

from lanes.errors import RedisUnavailableError, Trouble
from lanes.storage.schema import check_schema

MIN_VERSION = (6, 2)
_UNFIT_MODES = {
    "cluster": "it is a node of a cluster, and all keys must be on one primary: name one outside a cluster",
    "sentinel": "it is a Sentinel: name the primary that it watches",
}


def add_questions(pipeline: Any, schema_key: str) -> None:
    """Add the commands whose replies `check_usable` takes. HELLO tells the kind of server, also without INFO."""
    pipeline.execute_command("HELLO")
    pipeline.get(schema_key)


def check_usable(hello: Any, stored_schema: Any) -> None:
    """Refuse the server or its data, by the replies to `add_questions`; a reply may be an error.

    If HELLO is renamed or not permitted, the kind of server is unknown and not refused.

    Raises:
        RedisUnavailableError: the server is too old, a node of a cluster or a Sentinel; or see `check_schema`.
    """
    if not isinstance(hello, ResponseError):
        _check_kind(hello if isinstance(hello, dict) else dict(zip(hello[::2], hello[1::2], strict=True)))
    check_schema(stored_schema)


def _check_kind(hello: dict[bytes, Any]) -> None:
    version = hello.get(b"version", b"").decode("utf-8", "replace")
    reason = _UNFIT_MODES.get(hello.get(b"mode", b"").decode("utf-8", "replace"))
    if reason is None and version_of(version) < MIN_VERSION:
        reason = f"its version is {version}: name a server of version {'.'.join(map(str, MIN_VERSION))} or newer"
    if reason is not None:
        message = f"this Redis cannot hold the lanes: {reason} in LANES_REDIS_URL"
        raise RedisUnavailableError(message, Trouble.UNFIT)


def version_of(text: str) -> tuple[int, ...]:
    """Return major and minor version."""
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
