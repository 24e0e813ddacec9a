"""Replays and purges of many letters in the background: what they move, wait for, and tell the trail."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from lanes import trail
from lanes.audit import audit
from lanes.job import Reason
from lanes.letter import Moved
from lanes.letter_choice import Choice
from lanes.letter_moves import Move, purge_move, replay_move
from lanes.letters import Span, until_now
from lanes.results import Released
from lanes.store import LaneStore, connect
from lanes.transitions import Report
from ops.redis_server import RedisServer
from tests.worker.dashboard.conftest import until
from tests.worker.dashboard.dead import SEAT, die_again, letter, overtake, seed
from worker.dashboard import letter_runs
from worker.dashboard.letter_runs import MOST_AT_ONCE, BusyError, Run, Runs, Selection


@pytest.fixture
def store(redis_url: str) -> Iterator[LaneStore]:
    with connect(redis_url) as client:
        yield LaneStore(client)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter_runs, "AWAY_SECONDS", 0.02)


def done(run: Run) -> Run:
    until(lambda: run.ended_at, "the end of the run")
    return run


def everything(store: LaneStore, choice: Choice = Choice()) -> Selection:  # noqa: B008 - frozen
    return Selection("dead letters", until_now(store), choice)


def entries(store: LaneStore) -> list[tuple[str, str, str, str]]:
    return [(each.who, each.what, each.on, each.detail) for each in reversed(trail.read(store))]


def test_all_of_a_choice_are_replayed_and_what_dies_later_is_not_met(store: LaneStore) -> None:
    seed(store, range(1200))
    selection = everything(store, Choice(reason="refused"))
    store.restore(letter(4000, died_at=selection.span.until + 0.001))
    runs = Runs(store)
    rehearsed = done(runs.start("ana", replay_move(), selection, total=600, rehearsal=True))
    assert (rehearsed.done, rehearsed.state, store.counts()["pending"]) == (600, "done", 0)
    run = done(runs.start("ana", replay_move(), selection, total=600))
    assert (run.done, run.refused.total(), run.state) == (600, 0, "done")
    assert store.counts()["pending"] == 600
    assert entries(store) == [("ana", "replay", "dead letters", "ended: replayed 600")]
    assert runs.all() == [run]
    assert list(audit(store)) == []


def test_a_run_counts_those_that_the_api_may_have(store: LaneStore) -> None:
    doubtful = replace(letter(7), reason=Reason.UNCONFIRMED)
    store.restore(letter(0))
    store.restore(doubtful)
    selection = everything(store)
    runs = Runs(store)
    for rehearsal in (True, False):
        run = done(runs.start("ana", replay_move(), selection, total=2, rehearsal=rehearsal))
        assert (run.done, run.unconfirmed, run.as_json()["unconfirmed"]) == (2, 1, 1)


def test_what_is_overtaken_is_refused_and_named_unless_it_shall_be_the_last_word(store: LaneStore) -> None:
    named = tuple(seed(store, range(3)))
    newer = overtake(store, 1)
    runs, selection = Runs(store), Selection("three", until_now(store), job_ids=(*named, "gone"))
    for rehearsal in (True, False):
        run = done(runs.start("ana", replay_move(), selection, total=4, rehearsal=rehearsal))
        assert (run.done, dict(run.refused)) == (2, {"overtaken": 1, "unknown": 1})
        assert run.told == [Moved("job000001", "overtaken", newer), Moved("gone", "unknown")]
    assert run.as_json()["told"][0]["why"] == f"overtaken by {newer}, which is newer: it would overwrite that"
    again = done(runs.start("ana", replay_move(even_if_newer=True), selection, total=1))
    assert (again.done, dict(again.refused)) == (1, {"pending": 2, "unknown": 1})


def test_a_purge_is_rehearsed_and_done(store: LaneStore) -> None:
    ids = seed(store, range(5))
    store.replay(ids[4])
    runs, selection = Runs(store), Selection("five", until_now(store), job_ids=(*ids, "gone"))
    for rehearsal in (True, False):
        run = done(runs.start("ana", purge_move(60), selection, total=6, rehearsal=rehearsal))
        assert (run.done, dict(run.refused)) == (4, {"pending": 1, "unknown": 1})
    assert store.counts()["cancelled"] == 4


def test_a_run_that_is_stopped_leaves_the_rest_alone_and_the_trail_says_so(store: LaneStore) -> None:
    seed(store, range(1500))
    runs = Runs(store)
    begun, go_on = threading.Event(), threading.Event()

    def slow(store: LaneStore, ids: Sequence[str]) -> list[Moved]:
        begun.set()
        assert go_on.wait(60)
        return replay_move().call(store, ids)

    run = runs.start("ana", Move("replay", "replayed", slow, slow), everything(store), total=1500)
    assert begun.wait(60)
    runs.stop(run.id)
    go_on.set()
    assert done(run).state == "stopped"
    assert run.done == store.counts()["pending"] == 500
    assert entries(store)[-1][3] == "ended: replayed 500; stopped"


def test_no_more_than_so_many_go_on_at_once(store: LaneStore) -> None:
    seed(store, [1])
    runs, go_on = Runs(store), threading.Event()

    def wait(_: LaneStore, ids: Sequence[str]) -> list[Moved]:
        assert go_on.wait(60)
        return [Moved(job_id, "replayed") for job_id in ids]

    move = Move("replay", "replayed", wait, wait)
    begun = [runs.start("ana", move, everything(store), total=1) for _ in range(MOST_AT_ONCE)]
    with pytest.raises(BusyError, match="wait for one of them"):
        runs.start("ana", move, everything(store), total=1)
    go_on.set()
    for run in begun:
        done(run)
    for _ in range(letter_runs.MOST_KEPT + 5):
        done(runs.start("ana", move, everything(store), total=1))
    until(lambda: len(runs.all()) == letter_runs.MOST_KEPT, "the oldest to be forgotten")
    assert runs.get(begun[0].id) is None


@pytest.mark.parametrize("named", [True, False])
def test_redis_is_killed_in_the_middle_and_every_letter_is_replayed_once(tmp_path: Path, *, named: bool) -> None:
    with ExitStack() as ends:
        server = ends.enter_context(RedisServer(tmp_path))
        store = LaneStore(ends.enter_context(connect(server.url)))
        ids = [*reversed(seed(store, range(1700)))]
        for number in range(3):
            store.hold(f"loc{number}", "so that only the one that dies again is sent", "test")
        alone = letter(800)
        store.restore(replace(alone, order=replace(alone.order, id="alone", location_id="alone")))
        ids.insert(700, "alone")
        batches: list[int] = []

        def replay(store: LaneStore, ids: Sequence[str]) -> list[Moved]:
            moved = replay_move().call(store, ids)
            batches.append(len(ids))
            if len(batches) == 2:
                assert "alone" in ids
                released = store.release(SEAT).next
                assert isinstance(released, Released)
                store.bury(Report(released.id, released.attempt, "{}", SEAT.limits), reason="refused")
                server.kill()
                store.counts()
            return moved

        selection = Selection("all", until_now(store), job_ids=tuple(ids) if named else ())
        run = Runs(store).start("ana", Move("replay", "replayed", replay, replay), selection, total=1701)
        until(lambda: run.waiting, "it to wait for Redis")
        assert "Redis" in str(run.waiting)
        server.start()
        assert done(run).state == "done"
        assert (run.done, run.refused.total(), run.waiting) == (1701, 0, None)
        counts = store.counts()
        assert (counts["pending"], counts["dead"], counts["expired"]) == (1700, 1, 0)
        assert list(audit(store)) == []


def test_redis_that_stays_away_ends_a_run_that_says_so(store: LaneStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter_runs, "PATIENCE_SECONDS", 0.05)
    with connect("redis://127.0.0.1:1/0") as client:
        run = Runs(LaneStore(client)).start("ana", replay_move(), Selection("all", Span(1.0)), total=1)
        assert done(run).state == "failed"
    assert "Redis" in str(run.waiting)
    die_again(store, seed(store, [1])[0])  # what is there is untouched
