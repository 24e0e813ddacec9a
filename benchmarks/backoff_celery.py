"""Celery that sends, and retries what is answered with 429: exponential backoff with full jitter, up to one window.

`celery -A benchmarks.backoff_celery worker` drains it; senders are those of `bare_celery`.
"""

import os
from typing import Any

from benchmarks import bare_celery
from benchmarks.upsert import REDIS_URL, ThrottledError, limit_of_environment, post

app = bare_celery.make_app(os.environ.get(REDIS_URL, "redis://"))
_, window = limit_of_environment()


@app.task(
    name="upsert",
    shared=False,
    autoretry_for=(ThrottledError,),
    retry_backoff=True,
    retry_backoff_max=window,
    retry_jitter=True,
    max_retries=None,
)  # type: ignore[untyped-decorator]
def upsert(body: dict[str, Any]) -> None:
    """Send one upsert."""
    post(body)
