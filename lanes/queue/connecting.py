"""Makes the clients of Redis, with their timeouts and pools."""

from typing import Any

import redis

from lanes.settings.redis_url import raise_if_wrong
from lanes.storage.packer import make_packer
from lanes.storage.pool import LeanPool, SharedPool

MAX_CONNECTIONS = 10_000  # one per thread; the default limit of Redis
SHARED_CONNECTIONS = 64  # of a process with more threads than that

TIMEOUTS = {"socket_connect_timeout": 5, "socket_timeout": 10, "health_check_interval": 30}  # seconds


def connect(url: str, **options: Any) -> "redis.Redis":
    """Return a client with timeouts: an unreachable Redis raises an error within seconds.

    Raises:
        SettingsError: the URL is no URL of a Redis.
    """
    raise_if_wrong(url)
    return _client(LeanPool, url, **{"max_connections": MAX_CONNECTIONS, **TIMEOUTS, **options})


def connect_shared(url: str) -> "redis.Redis":
    """Return a client whose threads share SHARED_CONNECTIONS connections. A thread waits until one is free.

    Raises:
        SettingsError: the URL is no URL of a Redis.
    """
    raise_if_wrong(url)
    return _client(SharedPool, url, max_connections=SHARED_CONNECTIONS, **TIMEOUTS)


def _client(pool: type[LeanPool], url: str, **options: Any) -> "redis.Redis":
    return redis.Redis.from_pool(pool.from_url(url, command_packer=make_packer(), **options))
