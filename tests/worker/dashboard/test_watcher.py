"""The watcher: one reading for all who look, none when nobody does, and no lie when Redis is away."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lanes.errors import LanesError, RedisUnavailableError
from lanes.lane import Lane
from lanes.store import LaneStore, connect
from ops.redis_server import RedisServer
from producers import OpportunityProducer
from worker.dashboard import watcher as module
from worker.dashboard.watcher import Snapshot, Watcher


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
                raise ValueError("what nobody expected")  # noqa: EM101, TRY003 - any error will do
        return found


@pytest.fixture
def store(redis_url: str) -> Iterator[CountedStore]:
    store = CountedStore(connect(redis_url))
    yield store
    store.go_on.set()
    store.client.close()


@pytest.fixture
def watcher(store: CountedStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    monkeypatch.setattr(module, "LEAST_SECONDS", 0.01)
    watcher = Watcher(store)
    yield watcher
    store.go_on.set()
    watcher.close()


def until(so: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := so()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def enqueue(store: LaneStore, location: str, contact: str = "c") -> None:
    OpportunityProducer(store).enqueue({"pipelineId": "p", "locationId": location, "contactId": contact})


def test_the_first_look_waits_for_a_picture(store: CountedStore, watcher: Watcher) -> None:
    enqueue(store, "one")
    store.hold_all("why", "ada")
    seen = watcher.snapshot()
    assert [lane.location_id for lane in seen.lanes] == ["one"]
    assert (seen.counts["pending"], seen.gate.hold, seen.trouble) == (1, "why", None)
    lane = seen.lane("one")
    assert lane is not None
    assert lane.counts["pending"] == 1
    assert seen.lane("two") is None


def test_who_looks_again_and_again_sees_what_happens(store: CountedStore, watcher: Watcher) -> None:
    watcher.snapshot()
    enqueue(store, "one")
    assert until(lambda: watcher.snapshot().counts["pending"] == 1)


def test_nobody_looks_and_nothing_is_read(store: CountedStore, watcher: Watcher, redis_url: str) -> None:
    watcher.snapshot()
    until(lambda: watcher._begun_at >= watcher._asked_at)
    settled = store.readings
    watched = CountedStore(connect(redis_url))
    other = Watcher(watched)  # somebody looks at this one, for long enough
    until(lambda: other.snapshot() and watched.readings >= 20)
    other.close()
    watched.client.close()
    assert store.readings <= settled + 1, "the one that was on its way, and no more"


def test_all_who_look_at_once_share_one_reading(store: CountedStore, watcher: Watcher) -> None:
    seen: list[Snapshot] = []
    store.go_on.clear()
    lookers = [threading.Thread(target=lambda: seen.append(watcher.snapshot())) for _ in range(20)]
    for looker in lookers:
        looker.start()
    assert store.began.wait(60)
    store.go_on.set()
    for looker in lookers:
        looker.join(60)
    assert len(seen) == 20
    assert store.readings <= 2


def test_a_slow_reading_makes_the_next_one_wait_for_longer(
    store: CountedStore, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARE", 1e-9)
    watcher.snapshot()
    for n in range(50):
        enqueue(store, f"lane{n}")
        watcher.snapshot()
    assert store.readings == 1


def test_a_picture_while_one_is_read_is_the_last_one_and_says_how_old_it_is(
    store: CountedStore, watcher: Watcher
) -> None:
    first = watcher.snapshot()
    until(lambda: watcher.snapshot().at > first.at)
    store.began.clear()
    store.go_on.clear()
    until(lambda: watcher.snapshot() and store.began.is_set())
    seen = watcher.snapshot()
    until(lambda: watcher.snapshot().age > seen.age)
    assert watcher.snapshot().at == seen.at


def test_who_comes_back_after_a_while_waits_a_moment_for_a_new_picture(
    store: CountedStore, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALE_SECONDS", 0.0)
    monkeypatch.setattr(module, "SHARE", 1e9)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 60.0)
    watcher.snapshot()
    enqueue(store, "one")
    assert watcher.snapshot().counts["pending"] == 1


def test_a_change_is_seen_at_once_even_by_a_reading_that_began_before_it(store: CountedStore, watcher: Watcher) -> None:
    for name in ("one", "two"):
        enqueue(store, name)
    until(lambda: len(watcher.snapshot().lanes) == 2)
    store.began.clear()
    store.go_on.clear()
    until(lambda: watcher.snapshot() and store.began.is_set())
    store.hold("one", "why", "ada")
    store.hold("new", "why", "ada")
    watcher.renew("one", "new")
    seen = watcher.snapshot()
    assert [(lane.location_id, lane.hold) for lane in seen.lanes] == [("new", "why"), ("one", "why"), ("two", None)]
    at = seen.at
    readings = store.readings
    store.go_on.set()
    seen = until(lambda: store.readings >= readings and (seen := watcher.snapshot()).at > at and seen)
    assert [(lane.location_id, lane.hold) for lane in seen.lanes] == [("new", "why"), ("one", "why"), ("two", None)]


def test_the_hold_of_everything_is_seen_at_once(
    store: CountedStore, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARE", 1e-9)
    watcher.snapshot()
    store.hold_all("why", "ada")
    watcher.renew()
    assert watcher.snapshot().gate.hold == "why"
    assert store.readings == 1


def test_a_redis_that_is_away_keeps_the_last_picture_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAST_SECONDS", 0.01)
    with RedisServer(tmp_path) as server:
        store = LaneStore(connect(server.url))
        watcher = Watcher(store)
        enqueue(store, "one")
        before = watcher.snapshot()
        assert before.trouble is None
        server.kill()
        away = until(lambda: (seen := watcher.snapshot()).trouble and seen)
        assert away.lanes == before.lanes
        assert "Redis" in away.trouble
        later = until(lambda: (seen := watcher.snapshot()).age > away.age and seen)
        assert later.lanes == before.lanes
        server.start()
        assert until(lambda: (seen := watcher.snapshot()).trouble is None and seen).age < later.age
        watcher.close()
        store.client.close()


def test_no_redis_from_the_beginning_is_an_error_each_time(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        url = server.url
    store = LaneStore(connect(url))
    watcher = Watcher(store)
    with pytest.raises(RedisUnavailableError) as first:
        watcher.snapshot()
    with pytest.raises(RedisUnavailableError) as second:
        watcher.snapshot()
    assert first.value is not second.value
    watcher.close()
    store.client.close()


def test_what_nobody_expected_is_told_and_the_reader_goes_on(store: CountedStore, watcher: Watcher) -> None:
    store.broken = True
    with pytest.raises(LanesError, match="what nobody expected"):
        watcher.snapshot()
    store.broken = False
    assert until(lambda: _looked(watcher)).trouble is None


def _looked(watcher: Watcher) -> Snapshot | None:
    try:
        return watcher.snapshot()
    except LanesError:
        return None
