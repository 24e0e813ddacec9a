"""dramatiq alone, one message per upsert, with its defaults: `dramatiq benchmarks.bare_dramatiq:broker` drains it."""

import os
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.upsert import REDIS_URL, post


def make_broker(redis_url: str) -> RedisBroker:
    """Return a broker with dramatiq's default middleware."""
    return RedisBroker(url=redis_url)  # type: ignore[no-untyped-call]


def register(broker: RedisBroker) -> dramatiq.Actor[[dict[str, Any]], None]:
    """Return `post` as an actor of the broker."""
    return dramatiq.actor(broker=broker, actor_name="upsert")(post)


broker = make_broker(os.environ.get(REDIS_URL, "redis://"))
upsert = register(broker)
