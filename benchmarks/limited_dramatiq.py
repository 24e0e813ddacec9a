"""dramatiq with its own limiter: a sliding window for each location, shared by all workers.

A message for which there is no place is retried with dramatiq's backoff, from a second up to one window: its own
defaults, 15 s up to a week, are made for failures. `dramatiq benchmarks.limited_dramatiq:broker` drains it; senders
are those of `bare_dramatiq`.
"""

import os
from typing import Any

import dramatiq
from dramatiq.rate_limits import WindowRateLimiter
from dramatiq.rate_limits.backends import RedisBackend

from benchmarks import bare_dramatiq
from benchmarks.upsert import REDIS_URL, limit_of_environment, post

broker = bare_dramatiq.make_broker(os.environ.get(REDIS_URL, "redis://"))
backend = RedisBackend(url=os.environ.get(REDIS_URL, "redis://"))
max_requests, window = limit_of_environment()


@dramatiq.actor(broker=broker, actor_name="upsert", max_retries=None, min_backoff=1_000, max_backoff=1_000 * window)
def upsert(body: dict[str, Any]) -> None:
    """Send one upsert; without a place for it, or answered with 429, it raises and is retried."""
    limiter = WindowRateLimiter(backend, body["locationId"], limit=max_requests, window=window)  # type: ignore[no-untyped-call]
    with limiter.acquire():
        post(body)
