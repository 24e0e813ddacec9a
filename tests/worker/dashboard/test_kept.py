"""A series is read once for all who look."""

from concurrent.futures import ThreadPoolExecutor

from lanes.series import Series
from lanes.store import LaneStore, connect
from worker.dashboard.pages.throughput import Kept


def test_redis_is_asked_once_for_all_who_look(redis_url: str) -> None:
    reads: list[LaneStore] = []

    def read(store: LaneStore) -> Series:
        reads.append(store)
        return Series(10, float(len(reads)), ())

    with connect(redis_url) as client:
        store, kept, fresh = LaneStore(client), Kept(read, 3600), Kept(read, 0)
        with ThreadPoolExecutor(8) as threads:
            assert {series.now for series in threads.map(kept.of, [store] * 50)} == {1.0}
        assert len(reads) == 1
        assert [fresh.of(store).now for _ in range(3)] == [2.0, 3.0, 4.0]
        assert kept.of(LaneStore(client, "other:")).now == 5.0
