"""Removes the done jobs of locations before their time."""

from collections.abc import Iterator, Sequence
from typing import cast

from lanes.queue.store import LaneStore
from lanes.storage.redis_errors import own_errors
from lanes.storage.stored import text_of

STEP = 500


def forget_done_jobs(
    store: LaneStore, location_ids: Sequence[str], enqueue_timeout: float
) -> Iterator[tuple[list[str], list[str]]]:
    """Remove the delivered, cancelled and merged jobs of these locations; it looks at the jobs of all.

    Yield the location of each removed job, and of each that stays because a retried enqueue must find it, in batches.
    Jobs that end meanwhile may stay.
    """
    first, cursor = store.key("done", ""), 0
    while True:
        with own_errors():
            found = store.client.scan(cursor, match=f"{first}*", count=STEP)
        cursor, keys = cast("tuple[int, list[bytes]]", found)
        ids = [text_of(key).removeprefix(first) for key in keys]
        yield store.forget_jobs(location_ids, ids, enqueue_timeout)
        if not cursor:
            return
