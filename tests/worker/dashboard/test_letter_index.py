"""The index of the dead letters: it comes to the same as Redis, whatever happens between two looks."""

import math
import random
import threading
from collections.abc import Iterator

import pytest

from lanes import letters
from lanes.letter_choice import Choice, look_through
from lanes.letters import until_now
from lanes.store import LaneStore, connect
from ops.redis_server import RedisServer
from tests.worker.dashboard.conftest import until
from tests.worker.dashboard.dead import die_again, letter, seed
from worker.dashboard import letter_index
from worker.dashboard.letter_index import Known, LetterIndex, Segment, segments_of


@pytest.fixture
def store(redis_url: str) -> Iterator[LaneStore]:
    with connect(redis_url) as client:
        yield LaneStore(client)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter_index, "READ", 40)
    monkeypatch.setattr(letter_index, "SEGMENT", 10)


def known_to(index: LetterIndex) -> Known:
    return index._known


def truth(store: LaneStore) -> list[object]:
    batches = look_through(store, Choice(), until_now(store))
    return [found for batch in batches for found in batch]


def agrees(index: LetterIndex, store: LaneStore) -> bool:
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
    index = LetterIndex(store)
    seen: list[tuple[int, int, bool]] = []
    publish = index._publish

    def watch() -> None:
        publish()
        seen.append((len(known_to(index).letters), known_to(index).total, known_to(index).complete))

    index._publish = watch  # type: ignore[method-assign]
    index.refresh()
    assert seen == [(40, 100, False), (80, 100, False), (100, 100, True)]
    assert agrees(index, store)


def test_deaths_replays_purges_and_second_deaths_are_met_by_the_next_look(store: LaneStore) -> None:
    seed(store, range(100))
    index = LetterIndex(store)
    index.refresh()
    die_again(store, "job000050")
    store.replay("job000051")
    store.purge("job000052", 60)
    store.restore(letter(200))  # died before all others
    store.restore(letter(201, died_at=letter(30).ended_at + 0.5))
    index.refresh()
    assert agrees(index, store)
    assert next(iter(known_to(index).letters)).message == "again"


def test_what_leaves_and_comes_with_an_old_time_is_met_within_a_round(store: LaneStore) -> None:
    seed(store, range(100))
    index = LetterIndex(store)
    index.refresh()
    store.purge("job000050", 60)
    store.restore(letter(300, died_at=letter(50).ended_at + 0.1))
    for _ in range(100 // 10 + 2):
        index.refresh()
    assert agrees(index, store)


def test_any_mix_of_changes_comes_to_the_same_as_redis(store: LaneStore) -> None:
    dice = random.Random(5)
    index = LetterIndex(store)
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
                die_again(store, job_id)
            else:
                store.restore(letter(fresh, died_at=letter(dice.randrange(90)).ended_at + dice.random()))
                there.add(f"job{fresh:06d}")
                fresh += 1
        index.refresh()
    for _ in range(12):
        index.refresh()
    assert agrees(index, store)


def test_many_that_died_at_one_moment_are_known_and_missed(store: LaneStore) -> None:
    letters.restore(store, [letter(number, died_at=1000.0) for number in range(95)])
    index = LetterIndex(store)
    index.refresh()
    store.purge("job000007", 60)
    index.refresh()
    assert agrees(index, store)
    assert len(known_to(index).letters) == 94


def test_beyond_its_bound_it_knows_the_newest_and_says_so(store: LaneStore) -> None:
    seed(store, range(80))
    index = LetterIndex(store, 50)
    index.refresh()
    assert [found.id for found in known_to(index).letters] == [f"job{number:06d}" for number in range(50)]
    assert (known_to(index).total, known_to(index).bounded) == (80, True)
    store.restore(letter(500, died_at=letter(0).ended_at + 0.5))
    index.refresh()
    assert [found.id for found in known_to(index).letters][:2] == ["job000500", "job000000"]
    assert len(known_to(index).letters) == 50
    for number in range(40):
        store.purge(f"job{number:06d}", 60)
    index.refresh()
    assert agrees(index, store)
    assert not known_to(index).bounded


def test_a_look_at_many_letters_that_did_not_change_costs_little(store: LaneStore, redis_server: RedisServer) -> None:
    del redis_server
    seed(store, range(1000))
    index = LetterIndex(store)
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


def test_an_id_without_a_letter_disturbs_nothing(store: LaneStore) -> None:
    seed(store, range(5))
    store.client.zadd(store.key("dead"), {"nothing": 1e15})
    index = LetterIndex(store)
    index.refresh()
    index.refresh()
    version = known_to(index).version
    index.refresh()
    assert (len(known_to(index).letters), known_to(index).total, known_to(index).version) == (5, 6, version)


def test_a_redis_that_is_away_is_told_and_what_is_known_stays(redis_server: RedisServer, store: LaneStore) -> None:
    seed(store, range(5))
    with connect("redis://127.0.0.1:1/0") as nowhere:
        index = LetterIndex(store)
        index.refresh()
        index._store = LaneStore(nowhere)
        index.refresh()
        assert "Redis" in (known_to(index).failure or "")
        assert len(known_to(index).letters) == 5
    with connect(redis_server.url) as client:
        index._store = LaneStore(client)
        index.refresh()
        assert known_to(index).failure is None


def test_a_look_starts_it_and_news_come_by_themselves_while_somebody_looks(store: LaneStore) -> None:
    seed(store, range(100))
    index = LetterIndex(store)
    until(lambda: index.look().complete, "the first reading")
    store.purge("job000003", 60)
    index.ask()
    until(lambda: index.look().total == 99, "the purge")
    assert agrees(index, store)
    store.purge("job000004", 60)
    until(lambda: index.look(wait=0).total == 98, "a purge that nobody told of")
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("letter-index") == 1


def test_nobody_looks_and_it_ends_and_begins_anew(store: LaneStore, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(store, range(10))
    index = LetterIndex(store)
    until(lambda: index.look().complete, "the first reading")
    thread = index._thread
    assert thread is not None
    monkeypatch.setattr(letter_index, "KEPT_SECONDS", -1.0)
    index.ask()
    until(lambda: not thread.is_alive(), "its end")
    assert known_to(index).letters == ()
    monkeypatch.setattr(letter_index, "KEPT_SECONDS", math.inf)
    until(lambda: len(index.look().letters) == 10, "a new beginning")
