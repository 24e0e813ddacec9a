"""Refuses data in Redis with another version of the layout of keys."""

from typing import Any

from redis.exceptions import ResponseError

from lanes.errors import RedisUnavailableError, Trouble
from lanes.storage.keys import SCHEMA

MAX_SHOWN = 40


def check_schema(stored: Any) -> None:
    """Refuse data with another schema. `stored` is the reply to `GET` of the key `schema`, or its error.

    Raises:
        RedisUnavailableError: the data have another schema, or an unreadable one.
    """
    if isinstance(stored, ResponseError):
        if "WRONGTYPE" not in str(stored):
            raise stored
        message = "the key `schema` in Redis is broken: it is no string. If this version wrote the data, delete it"
        raise RedisUnavailableError(message, Trouble.SCHEMA)
    if stored is None or stored == SCHEMA.encode():
        return
    shown = stored.decode("utf-8", "replace")[:MAX_SHOWN]
    message = (
        f"the data in Redis have schema {shown!r}, and this version reads schema {SCHEMA}: run the version that wrote "
        "them, or set LANES_REDIS_URL or LANES_PREFIX to an empty place"
    )
    raise RedisUnavailableError(message, Trouble.SCHEMA)
