"""A series is read once for all readers."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lanes.activity.series import Series
from lanes.errors import RedisUnavailableError
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from tests.helpers import until
from worker.dashboard.throughput.throughput_page import CachedRead


def test_redis_is_read_once_for_all_viewers(redis_url: str) -> None:
    reads: list[LaneStore] = []

    def read(store: LaneStore) -> Series:
        reads.append(store)
        return Series(10, float(len(reads)), ())

    with connect(redis_url) as client:
        store, kept, fresh = LaneStore(client), CachedRead(read, 3600), CachedRead(read, 0)
        with ThreadPoolExecutor(8) as threads:
            assert {series.now for series in threads.map(kept.of, [store] * 50)} == {1.0}
        assert len(reads) == 1
        assert [fresh.of(store).now for _ in range(3)] == [2.0, 3.0, 4.0]
        assert kept.of(LaneStore(client, "other:")).now == 5.0


def test_a_viewer_waits_for_a_silent_redis_only_once(redis_url: str) -> None:
    reads, silent = [], threading.Event()

    def read(store: LaneStore) -> Series:
        reads.append(store)
        silent.wait(60)
        message = "silent"
        raise RedisUnavailableError(message)

    with connect(redis_url) as client, ThreadPoolExecutor(8) as threads:
        store, kept = LaneStore(client), CachedRead(read, 3600)
        waiting = [threads.submit(kept.of, store) for _ in range(8)]
        until(lambda: len(reads) == 1 and all(each.running() for each in waiting), "all to wait")
        silent.set()
        assert {str(each.exception(60)) for each in waiting} == {"silent"}
        asked = len(reads)
        assert asked < 8
        with pytest.raises(RedisUnavailableError):
            kept.of(store)
        assert len(reads) == asked + 1  # a later reader reads again
