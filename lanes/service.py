"""Does anybody serve the lanes?"""

from collections.abc import Iterator

from redis.exceptions import ResponseError

from lanes.finding import Finding, Severity
from lanes.job import MICROSECONDS
from lanes.redis_errors import own_errors
from lanes.store import LaneStore

LONG_SECONDS = 60.0
MOST_NAMED = 5


def listeners(store: LaneStore) -> int | None:
    """Return how many workers listen for lanes that become due; None where this user may not ask."""
    try:
        return int(store.client.pubsub_numsub(store.key("wake"))[0][1])
    except ResponseError:
        return None


def unserved(store: LaneStore) -> Iterator[Finding]:
    """Yield one finding if lanes have been due for long, though nothing holds them."""
    with own_errors():
        seconds, micros = store.client.time()
        now = seconds * MICROSECONDS + micros
        pipeline = store.client.pipeline(transaction=False)
        pipeline.zscore(store.key("due"), "")
        pipeline.zcount(store.key("due"), 1, now - LONG_SECONDS * MICROSECONDS)
        pipeline.zrangebyscore(store.key("due"), 1, now, start=0, num=MOST_NAMED, withscores=True)
        gate, late, first = pipeline.execute()
        workers = listeners(store)
    if gate is not None or not late:
        return
    since = (now - first[0][1]) / MICROSECONDS
    names = ", ".join(name.decode() for name, _ in first[: min(late, MOST_NAMED)])
    text = f"{late} lanes wait to be served, the first for {since:.0f} s: {names}"
    if workers == 0:
        yield Finding(
            "unserved", Severity.ERROR, "due", f"{text}; no worker is there", "start one: celery -A worker worker"
        )
    else:
        there = "" if workers is None else f"; {workers} workers are there"
        advice = "see their logs: do they take work, have they enough slots?"
        yield Finding("unserved", Severity.WARNING, "due", text + there, advice)
