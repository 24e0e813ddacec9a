"""Checks whether workers serve the lanes."""

from collections.abc import Iterator

from redis.exceptions import ResponseError

from lanes.checks.finding import Finding, Severity
from lanes.queue.store import LaneStore
from lanes.storage.redis_errors import own_errors
from lanes.storage.stored import MICROSECONDS, text_of

LONG_SECONDS = 60.0
MAX_NAMED = 5


def listeners(store: LaneStore) -> int | None:
    """Return how many workers listen for due lanes; None if this user lacks the permission."""
    try:
        return int(store.client.pubsub_numsub(store.key("wake"))[0][1])
    except ResponseError:
        return None


def no_consumers(store: LaneStore) -> Iterator[Finding]:
    """Yield a finding if lanes have been due for a long time and nothing stops them."""
    with own_errors():
        seconds, micros = store.client.time()
        now = seconds * MICROSECONDS + micros
        due, before = store.key("due"), now - LONG_SECONDS * MICROSECONDS
        stopped: float | None = None
        stopped = store.read_key(stopped, due, lambda client, key: client.zscore(key, ""))
        late = store.read_key(0, due, lambda client, key: client.zcount(key, 1, before))
        first: list[tuple[bytes, float]] = []
        first = store.read_key(
            first,
            due,
            lambda client, key: client.zrangebyscore(key, 1, now, start=0, num=MAX_NAMED, withscores=True),
        )
        workers = listeners(store)
    if stopped is not None or not late or not first:
        return
    since = (now - first[0][1]) / MICROSECONDS
    names = ", ".join(text_of(name) for name, _ in first[: min(late, MAX_NAMED)])
    text = f"{late} lanes wait for a worker, the first for {since:.0f} s: {names}"
    if workers == 0:
        advice = "start one: celery -A worker worker"
        yield Finding("no-consumers", Severity.ERROR, "due", f"{text}; no worker is running", advice)
    else:
        running = "" if workers is None else f"; {workers} workers are running"
        advice = "see their logs: do they take work, have they enough slots?"
        yield Finding("no-consumers", Severity.WARNING, "due", text + running, advice)
