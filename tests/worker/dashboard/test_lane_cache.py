"""The lane cache: one read for all readers, none without readers, and no stale data shown as current."""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lanes.errors import LanesError, RedisUnavailableError
from lanes.queue.connecting import connect
from lanes.queue.lane import Lane
from lanes.queue.store import LaneStore
from ops.embedded.redis_server import RedisServer
from producers import OpportunityProducer
from tests.helpers import until
from worker.dashboard import lane_cache as module
from worker.dashboard.lane_cache import LaneCache, LaneSnapshot


class CountedStore(LaneStore):
    """A store that counts readings of all lanes, and can be stopped in the middle of one."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.readings = 0
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.broken = False

    def lanes(self, location_ids: Iterable[str] | None = None) -> list[Lane]:
        found = super().lanes(location_ids)
        if location_ids is None:
            self.readings += 1
            self.began.set()
            self.go_on.wait()
            if self.broken:
                raise ValueError("unexpected")
        return found


@pytest.fixture
def store(redis_url: str) -> Iterator[CountedStore]:
    store = CountedStore(connect(redis_url))
    yield store
    store.go_on.set()
    store.close()


@pytest.fixture
def lane_cache(store: CountedStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[LaneCache]:
    monkeypatch.setattr(module, "MIN_INTERVAL_SECONDS", 0.01)
    lane_cache = LaneCache(store)
    yield lane_cache
    store.go_on.set()
    lane_cache.close()


def enqueue(store: LaneStore, location: str, contact: str = "c") -> None:
    OpportunityProducer(store).enqueue({"pipelineId": "p", "locationId": location, "contactId": contact})


def test_the_first_request_waits_for_a_snapshot(store: CountedStore, lane_cache: LaneCache) -> None:
    enqueue(store, "one")
    store.hold_all("why", "ada")
    seen = lane_cache.snapshot()
    assert [lane.location_id for lane in seen.lanes] == ["one"]
    assert (seen.counts["pending"], seen.global_state.hold, seen.error) == (1, "why", None)
    lane = seen.lane("one")
    assert lane is not None
    assert lane.counts["pending"] == 1
    assert seen.lane("two") is None


def test_repeated_requests_see_changes(store: CountedStore, lane_cache: LaneCache) -> None:
    lane_cache.snapshot()
    enqueue(store, "one")
    assert until(lambda: lane_cache.snapshot().counts["pending"] == 1)


def test_without_requests_nothing_is_read(store: CountedStore, lane_cache: LaneCache, redis_url: str) -> None:
    lane_cache.snapshot()
    until(lambda: lane_cache._begun_at >= lane_cache._asked_at)
    settled = store.readings
    watched = CountedStore(connect(redis_url))
    other = LaneCache(watched)  # this one has a reader, for long enough
    until(lambda: other.snapshot() and watched.readings >= 20)
    other.close()
    watched.client.close()
    assert store.readings <= settled + 1, "the one that was on its way, and no more"


def test_concurrent_requests_share_one_read(store: CountedStore, lane_cache: LaneCache) -> None:
    seen: list[LaneSnapshot] = []
    store.go_on.clear()
    lookers = [threading.Thread(target=lambda: seen.append(lane_cache.snapshot())) for _ in range(20)]
    for looker in lookers:
        looker.start()
    assert store.began.wait(60)
    store.go_on.set()
    for looker in lookers:
        looker.join(60)
    assert len(seen) == 20
    assert store.readings <= 2


def test_a_slow_read_delays_the_next_one(
    store: CountedStore, lane_cache: LaneCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LOAD", 1e-9)
    lane_cache.snapshot()
    for n in range(50):
        enqueue(store, f"lane{n}")
        lane_cache.snapshot()
    assert store.readings == 1


def test_during_a_read_the_last_snapshot_is_returned_with_its_age(store: CountedStore, lane_cache: LaneCache) -> None:
    first = lane_cache.snapshot()
    until(lambda: lane_cache.snapshot().at > first.at)
    store.began.clear()
    store.go_on.clear()
    until(lambda: lane_cache.snapshot() and store.began.is_set())
    seen = lane_cache.snapshot()
    until(lambda: lane_cache.snapshot().age > seen.age)
    assert lane_cache.snapshot().at == seen.at


def test_after_a_break_a_request_waits_for_a_new_snapshot(
    store: CountedStore, lane_cache: LaneCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALE_SECONDS", 0.0)
    monkeypatch.setattr(module, "MAX_LOAD", 1e9)
    monkeypatch.setattr(module, "MAX_WAIT_SECONDS", 60.0)
    lane_cache.snapshot()
    enqueue(store, "one")
    assert lane_cache.snapshot().counts["pending"] == 1


def test_a_change_is_seen_at_once_even_during_an_earlier_read(store: CountedStore, lane_cache: LaneCache) -> None:
    for name in ("one", "two"):
        enqueue(store, name)
    until(lambda: len(lane_cache.snapshot().lanes) == 2)
    store.began.clear()
    store.go_on.clear()
    until(lambda: lane_cache.snapshot() and store.began.is_set())
    store.hold("one", "why", "ada")
    store.hold("new", "why", "ada")
    lane_cache.refresh("one", "new")
    seen = lane_cache.snapshot()
    assert [(lane.location_id, lane.hold) for lane in seen.lanes] == [("new", "why"), ("one", "why"), ("two", None)]
    at = seen.at
    readings = store.readings
    store.go_on.set()
    seen = until(lambda: store.readings >= readings and (seen := lane_cache.snapshot()).at > at and seen)
    assert [(lane.location_id, lane.hold) for lane in seen.lanes] == [("new", "why"), ("one", "why"), ("two", None)]


def test_the_global_hold_is_seen_at_once(
    store: CountedStore, lane_cache: LaneCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LOAD", 1e-9)
    lane_cache.snapshot()
    store.hold_all("why", "ada")
    lane_cache.refresh()
    assert lane_cache.snapshot().global_state.hold == "why"
    assert store.readings == 1


def test_a_redis_outage_keeps_the_last_snapshot_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIN_INTERVAL_SECONDS", 0.01)
    with RedisServer(tmp_path) as server:
        store = LaneStore(connect(server.url))
        lane_cache = LaneCache(store)
        enqueue(store, "one")
        before = lane_cache.snapshot()
        assert before.error is None
        server.kill()
        away = until(lambda: (seen := lane_cache.snapshot()).error and seen)
        assert away.lanes == before.lanes
        assert "Redis" in away.error
        later = until(lambda: (seen := lane_cache.snapshot()).age > away.age and seen)
        assert later.lanes == before.lanes
        server.start()
        assert until(lambda: (seen := lane_cache.snapshot()).error is None and seen).age < later.age
        lane_cache.close()
        store.close()


def test_no_redis_from_the_beginning_is_an_error_each_time(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        url = server.url
    store = LaneStore(connect(url))
    lane_cache = LaneCache(store)
    with pytest.raises(RedisUnavailableError) as first:
        lane_cache.snapshot()
    with pytest.raises(RedisUnavailableError) as second:
        lane_cache.snapshot()
    assert first.value is not second.value
    lane_cache.close()
    store.close()


def test_an_unexpected_error_is_reported_and_the_reader_goes_on(store: CountedStore, lane_cache: LaneCache) -> None:
    store.broken = True
    with pytest.raises(LanesError, match="unexpected"):
        lane_cache.snapshot()
    store.broken = False
    assert until(lambda: _looked(lane_cache)).error is None


def _looked(lane_cache: LaneCache) -> LaneSnapshot | None:
    try:
        return lane_cache.snapshot()
    except LanesError:
        return None
