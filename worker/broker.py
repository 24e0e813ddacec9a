"""Celery's broker: the Redis of the lanes, with the same connection options as the lanes' own client.

By default Celery accepts any certificate of a `rediss://` URL, and does not know `unix://`.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from redis.connection import parse_url


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker URL of Celery, and how to verify TLS (`broker_use_ssl`), None without TLS."""

    url: str
    tls: dict[str, Any] | None


def broker_of(redis_url: str) -> Broker:
    """Return the broker at `LANES_REDIS_URL`, which may have options of redis-py after a `?`."""
    known, parts = parse_url(redis_url), urlsplit(redis_url)  # type: ignore[no-untyped-call]
    database = known.get("db", 0)
    if parts.scheme == "unix":
        who = ":".join(quote(known.get(name) or "", safe="") for name in ("username", "password"))
        return Broker(f"redis+socket://{who}@{known['path']}?virtual_host={database}", None)
    url = f"{parts.scheme}://{parts.netloc}/{database}"
    if parts.scheme != "rediss":
        return Broker(url, None)
    given = {name: value for name, value in known.items() if name.startswith("ssl_")}
    return Broker(url, {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **given})
