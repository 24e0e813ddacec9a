"""Celery with a limiter in Redis: a moving window for each location, shared by all workers (the package `limits`).

A task for which there is no place comes back when the window has one, with jitter so that not all that wait come at
once. `celery -A benchmarks.limited_celery worker` drains it; senders are those of `bare_celery`.
"""

import os
import random
import time
from typing import Any

from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from benchmarks import bare_celery
from benchmarks.upsert import REDIS_URL, ThrottledError, limit_of_environment, post

app = bare_celery.make_app(os.environ.get(REDIS_URL, "redis://"))
max_requests, window = limit_of_environment()
limit = RateLimitItemPerSecond(max_requests, window)
limiter = MovingWindowRateLimiter(RedisStorage(os.environ.get(REDIS_URL, "redis://localhost")))


@app.task(name="upsert", bind=True, shared=False, max_retries=None)  # type: ignore[untyped-decorator]
def upsert(self: Any, body: dict[str, Any]) -> None:
    """Send one upsert, when there is a place for it."""
    location = body["locationId"]
    if not limiter.hit(limit, location):
        raise self.retry(countdown=_seconds_until_a_slot_is_free(location))
    try:
        post(body)
    except ThrottledError as error:
        raise self.retry(exc=error, countdown=_seconds_until_a_slot_is_free(location)) from None


def _seconds_until_a_slot_is_free(location: str) -> float:
    reset = limiter.get_window_stats(limit, location).reset_time
    return max(0.0, reset - time.time()) + random.uniform(0, 1)
