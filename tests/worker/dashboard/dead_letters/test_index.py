"""The index of the dead letters agrees with Redis after any change between two reads."""

import math
import random
import threading
from collections.abc import Iterator

import pytest

from lanes.dead_letters import operations
from lanes.dead_letters.filter import DeadLetterFilter, scan_summaries
from lanes.dead_letters.operations import until_now
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.redis_server import RedisServer
from tests.helpers import until
from tests.worker.dashboard.dead_letters.sample_dead_letters import dead_letter, fail_again, seed
from worker.dashboard.dead_letters import index as index_module
from worker.dashboard.dead_letters.index import DeadLetterIndex, IndexSnapshot, Segment, segments_of
from worker.dashboard.lane_cache import UNEXPECTED_ERROR
from worker.safety import supervisor


@pytest.fixture
def store(redis_url: str) -> Iterator[LaneStore]:
    with connect(redis_url) as client:
        yield LaneStore(client)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "READ_BATCH", 40)
    monkeypatch.setattr(index_module, "SEGMENT_SIZE", 10)


def known_to(index: DeadLetterIndex) -> IndexSnapshot:
    return index._known


def truth(store: LaneStore) -> list[object]:
    batched = scan_summaries(store, DeadLetterFilter(), until_now(store))
    return [found for batch in batched for found in batch]


def agrees(index: DeadLetterIndex, store: LaneStore) -> bool:
    known = known_to(index)
    return list(reversed(known.letters)) == truth(store) and known.total == len(known.letters)


@pytest.mark.parametrize(
    ("times", "floor", "segments"),
    [
        ([], 0, [Segment(0, None, 0)]),
        ([5], 0, [Segment(0, None, 1)]),
        ([1, 2, 3, 4, 5], 0, [Segment(0, 3, 2), Segment(3, 5, 2), Segment(5, None, 1)]),
        ([7, 7, 7, 7, 7], 0, [Segment(0, 7, 0), Segment(7, None, 5)]),
        ([7, 7, 7, 8], 7, [Segment(7, None, 4)]),
        ([1, 2, 3, 4], 3, [Segment(3, None, 2)]),
    ],
)
def test_segments_cover_the_time_line(times: list[int], floor: int, segments: list[Segment]) -> None:
    assert segments_of(times, floor, 2) == segments


def test_the_first_reading_shows_what_it_has_so_far(store: LaneStore) -> None:
    seed(store, range(100))
    index = DeadLetterIndex(store)
    seen: list[tuple[int, int, bool]] = []
    publish = index._publish

    def watch() -> None:
        publish()
        seen.append((len(known_to(index).letters), known_to(index).total, known_to(index).complete))

    index._publish = watch  # type: ignore[method-assign]
    index.refresh()
    assert seen == [(40, 100, False), (80, 100, False), (100, 100, True)]
    assert agrees(index, store)


def test_new_replayed_purged_and_requeued_dead_letters_are_found_by_the_next_read(store: LaneStore) -> None:
    seed(store, range(100))
    index = DeadLetterIndex(store)
    index.refresh()
    fail_again(store, "job000050")
    store.replay("job000051")
    store.purge("job000052", 60)
    store.restore(dead_letter(200))  # died before all others
    store.restore(dead_letter(201, failed_at=dead_letter(30).ended_at + 0.5))
    index.refresh()
    assert agrees(index, store)
    assert next(iter(known_to(index).letters)).message == "again"


def test_changes_with_an_old_time_are_found_within_a_round(store: LaneStore) -> None:
    seed(store, range(100))
    index = DeadLetterIndex(store)
    index.refresh()
    store.purge("job000050", 60)
    store.restore(dead_letter(300, failed_at=dead_letter(50).ended_at + 0.1))
    for _ in range(100 // 10 + 2):
        index.refresh()
    assert agrees(index, store)


def test_any_mix_of_changes_comes_to_the_same_as_redis(store: LaneStore) -> None:
    dice = random.Random(5)
    index = DeadLetterIndex(store)
    there = set(seed(store, range(60)))
    fresh = 60
    for _ in range(12):
        for _ in range(dice.randrange(6)):
            job_id = dice.choice(sorted(there))
            step = dice.randrange(4)
            if step == 0:
                store.purge(job_id, 60)
                there.discard(job_id)
            elif step == 1:
                fail_again(store, job_id)
            else:
                store.restore(dead_letter(fresh, failed_at=dead_letter(dice.randrange(90)).ended_at + dice.random()))
                there.add(f"job{fresh:06d}")
                fresh += 1
        index.refresh()
    for _ in range(12):
        index.refresh()
    assert agrees(index, store)


def test_many_of_one_moment_are_added_and_removed(store: LaneStore) -> None:
    operations.restore(store, [dead_letter(number, failed_at=1000.0) for number in range(95)])
    index = DeadLetterIndex(store)
    index.refresh()
    store.purge("job000007", 60)
    index.refresh()
    assert agrees(index, store)
    assert len(known_to(index).letters) == 94


def test_beyond_its_bound_it_knows_the_newest_and_says_so(store: LaneStore) -> None:
    seed(store, range(80))
    index = DeadLetterIndex(store, 50)
    index.refresh()
    assert [found.id for found in known_to(index).letters] == [f"job{number:06d}" for number in range(50)]
    assert (known_to(index).total, known_to(index).truncated) == (80, True)
    store.restore(dead_letter(500, failed_at=dead_letter(0).ended_at + 0.5))
    index.refresh()
    assert [found.id for found in known_to(index).letters][:2] == ["job000500", "job000000"]
    assert len(known_to(index).letters) == 50
    for number in range(40):
        store.purge(f"job{number:06d}", 60)
    index.refresh()
    assert agrees(index, store)
    assert not known_to(index).truncated


def test_reading_many_unchanged_dead_letters_costs_little(store: LaneStore, redis_server: RedisServer) -> None:
    del redis_server
    seed(store, range(1000))
    index = DeadLetterIndex(store)
    index.refresh()
    index.refresh()
    before = store.client.info("commandstats")
    version = known_to(index).version
    index.refresh()
    after = store.client.info("commandstats")
    spent = {
        name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"]
        for name in after
        if after[name]["calls"] != before.get(name, {"calls": 0})["calls"]
    }
    assert spent.pop("cmdstat_zcount") == 1000 // 10
    assert sum(spent.values()) <= 6, spent
    assert known_to(index).version == version


def test_an_id_without_a_dead_letter_is_ignored(store: LaneStore) -> None:
    seed(store, range(5))
    store.client.zadd(store.key("dead"), {"nothing": 1e15})
    index = DeadLetterIndex(store)
    index.refresh()
    index.refresh()
    version = known_to(index).version
    index.refresh()
    assert (len(known_to(index).letters), known_to(index).total, known_to(index).version) == (5, 6, version)


def test_a_redis_outage_is_reported_and_known_dead_letters_stay(redis_server: RedisServer, store: LaneStore) -> None:
    seed(store, range(5))
    with connect("redis://127.0.0.1:1/0") as nowhere:
        index = DeadLetterIndex(store)
        index.refresh()
        index._store = LaneStore(nowhere)
        index.refresh()
        assert "Redis" in (known_to(index).error or "")
        assert len(known_to(index).letters) == 5
    with connect(redis_server.url) as client:
        index._store = LaneStore(client)
        index.refresh()
        assert known_to(index).error is None


def test_a_request_starts_it_and_it_refreshes_while_requested(store: LaneStore) -> None:
    seed(store, range(100))
    before = set(threading.enumerate())
    index = DeadLetterIndex(store)
    until(lambda: index.current().complete, "the first reading")
    store.purge("job000003", 60)
    index.request_refresh()
    until(lambda: index.current().total == 99, "the purge")
    assert agrees(index, store)
    store.purge("job000004", 60)
    until(lambda: index.current(wait=0).total == 98, "a purge by another process")
    started = [thread.name for thread in threading.enumerate() if thread not in before]
    assert started.count("dead_letter_index") == 1


def test_an_unexpected_error_is_shown_counted_and_does_not_end_it(
    store: LaneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.2)
    seed(store, range(10))
    index = DeadLetterIndex(store)
    until(lambda: index.current().complete, "the first reading")
    with monkeypatch.context() as broken:
        broken.setattr(store, "read", lambda _: 1 / 0)
        until(lambda: index.current().error is not None, "the failure shown")
        assert index.current().error == UNEXPECTED_ERROR  # what it was is in the log
        assert len(index.current().letters) == 10
        age = index.current(wait=0).age
        until(lambda: index.current(wait=0).age > age, "the dead letters to grow old")
    store.purge("job000003", 60)
    until(lambda: (known := index.current()).error is None and known.complete and known.total == 9, "its return")
    assert agrees(index, store)
    assert index._supervisor.failures.counts["dead_letter_index"] > 0


def test_without_requests_it_stops_and_it_starts_again(store: LaneStore, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(store, range(10))
    index = DeadLetterIndex(store)
    until(lambda: index.current().complete, "the first reading")
    [thread] = [thread for thread in threading.enumerate() if thread in index._supervisor._loops]
    monkeypatch.setattr(index_module, "IDLE_SECONDS", -1.0)
    index.request_refresh()
    until(lambda: not thread.is_alive(), "its end")
    assert known_to(index).letters == ()
    monkeypatch.setattr(index_module, "IDLE_SECONDS", math.inf)
    until(lambda: len(index.current().letters) == 10, "a new beginning")
