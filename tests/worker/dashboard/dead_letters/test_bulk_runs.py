"""Replays and purges of many dead letters in the background: what they move, wait for, and write to the audit log."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from lanes.activity import audit_log
from lanes.checks.consistency import check_consistency
from lanes.dead_letters.bulk import BulkAction, purge_action, replay_action
from lanes.dead_letters.filter import DeadLetterFilter
from lanes.dead_letters.operations import TimeRange, until_now
from lanes.queue.connecting import connect
from lanes.queue.dead_letter import ActionResult
from lanes.queue.job import Reason
from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport
from ops.embedded.redis_server import RedisServer
from tests.helpers import until
from tests.worker.dashboard.dead_letters.sample_dead_letters import (
    CONSUMER,
    dead_letter,
    deliver_newer,
    fail_again,
    seed,
)
from worker.dashboard.dead_letters import bulk_runs
from worker.dashboard.dead_letters.bulk_runs import MAX_RUNNING, BulkRun, BulkRuns, BusyError, Selection


@pytest.fixture
def store(redis_url: str) -> Iterator[LaneStore]:
    with connect(redis_url) as client:
        yield LaneStore(client)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_runs, "RETRY_SECONDS", 0.02)


def done(run: BulkRun) -> BulkRun:
    until(lambda: run.ended_at, "the end of the run")
    return run


def everything(store: LaneStore, dead_letter_filter: DeadLetterFilter = DeadLetterFilter()) -> Selection:  # noqa: B008 - frozen
    return Selection("dead letters", until_now(store), dead_letter_filter)


def entries(store: LaneStore) -> list[tuple[str, str, str, str]]:
    return [(each.who, each.what, each.on, each.detail) for each in reversed(audit_log.read(store))]


def test_all_of_a_filter_are_replayed_and_later_dead_letters_are_not(store: LaneStore) -> None:
    seed(store, range(1200))
    selection = everything(store, DeadLetterFilter(reason="refused"))
    store.restore(dead_letter(4000, failed_at=selection.time_range.until + 0.001))
    runs = BulkRuns(store)
    rehearsed = done(runs.start("ana", replay_action(), selection, total=600, dry_run=True))
    assert (rehearsed.done, rehearsed.state, store.counts()["pending"]) == (600, "done", 0)
    run = done(runs.start("ana", replay_action(), selection, total=600))
    assert (run.done, run.refused.total(), run.state) == (600, 0, "done")
    assert store.counts()["pending"] == 600
    assert entries(store) == [("ana", "replay", "dead letters", "ended: replayed 600")]
    assert runs.all() == [run]
    assert list(check_consistency(store)) == []


def test_a_run_counts_unconfirmed_dead_letters(store: LaneStore) -> None:
    doubtful = replace(dead_letter(7), reason=Reason.UNCONFIRMED)
    store.restore(dead_letter(0))
    store.restore(doubtful)
    selection = everything(store)
    runs = BulkRuns(store)
    for dry_run in (True, False):
        run = done(runs.start("ana", replay_action(), selection, total=2, dry_run=dry_run))
        assert (run.done, run.unconfirmed, run.as_json()["unconfirmed"]) == (2, 1, 1)


def test_a_superseded_dead_letter_is_refused_and_named_unless_forced(store: LaneStore) -> None:
    named = tuple(seed(store, range(3)))
    newer = deliver_newer(store, 1)
    runs, selection = BulkRuns(store), Selection("three", until_now(store), job_ids=(*named, "gone"))
    for dry_run in (True, False):
        run = done(runs.start("ana", replay_action(), selection, total=4, dry_run=dry_run))
        assert (run.done, dict(run.refused)) == (2, {"superseded": 1, "unknown": 1})
        assert run.refused_letters == [ActionResult("job000001", "superseded", newer), ActionResult("gone", "unknown")]
    assert (
        run.as_json()["refused_letters"][0]["why"] == f"superseded by {newer}, which is newer: it would overwrite that"
    )
    again = done(runs.start("ana", replay_action(force=True), selection, total=1))
    assert (again.done, dict(again.refused)) == (1, {"pending": 2, "unknown": 1})


def test_a_purge_is_previewed_and_done(store: LaneStore) -> None:
    ids = seed(store, range(5))
    store.replay(ids[4])
    runs, selection = BulkRuns(store), Selection("five", until_now(store), job_ids=(*ids, "gone"))
    for dry_run in (True, False):
        run = done(runs.start("ana", purge_action(60), selection, total=6, dry_run=dry_run))
        assert (run.done, dict(run.refused)) == (4, {"pending": 1, "unknown": 1})
    assert store.counts()["cancelled"] == 4


def test_a_stopped_run_leaves_the_rest_and_the_audit_log_says_so(store: LaneStore) -> None:
    seed(store, range(1500))
    runs = BulkRuns(store)
    begun, go_on = threading.Event(), threading.Event()

    def slow(store: LaneStore, ids: Sequence[str]) -> list[ActionResult]:
        begun.set()
        assert go_on.wait(60)
        return replay_action().call(store, ids)

    run = runs.start("ana", BulkAction("replay", "replayed", slow, slow), everything(store), total=1500)
    assert begun.wait(60)
    runs.stop(run.id)
    go_on.set()
    assert done(run).state == "stopped"
    assert run.done == store.counts()["pending"] == 500
    assert entries(store)[-1][3] == "ended: replayed 500; stopped"


def test_the_number_of_runs_at_once_is_bounded(store: LaneStore) -> None:
    seed(store, [1])
    runs, go_on = BulkRuns(store), threading.Event()

    def wait(_: LaneStore, ids: Sequence[str]) -> list[ActionResult]:
        assert go_on.wait(60)
        return [ActionResult(job_id, "replayed") for job_id in ids]

    move = BulkAction("replay", "replayed", wait, wait)
    begun = [runs.start("ana", move, everything(store), total=1) for _ in range(MAX_RUNNING)]
    with pytest.raises(BusyError, match="wait for one of them"):
        runs.start("ana", move, everything(store), total=1)
    go_on.set()
    for run in begun:
        done(run)
    for _ in range(bulk_runs.MAX_FINISHED + 5):
        done(runs.start("ana", move, everything(store), total=1))
    until(lambda: len(runs.all()) == bulk_runs.MAX_FINISHED, "the oldest to be forgotten")
    assert runs.get(begun[0].id) is None


@pytest.mark.parametrize("named", [True, False])
def test_redis_is_killed_in_the_middle_and_every_dead_letter_is_replayed_once(tmp_path: Path, *, named: bool) -> None:
    with ExitStack() as ends:
        server = ends.enter_context(RedisServer(tmp_path))
        store = LaneStore(ends.enter_context(connect(server.url)))
        ids = [*reversed(seed(store, range(1700)))]
        for number in range(3):
            store.hold(f"loc{number}", "so that only the one that dies again is sent", "test")
        alone = dead_letter(800)
        store.restore(replace(alone, new_job=replace(alone.new_job, id="alone", location_id="alone", body=b"{}")))
        ids.insert(700, "alone")
        batched: list[int] = []

        def replay(store: LaneStore, ids: Sequence[str]) -> list[ActionResult]:
            moved = replay_action().call(store, ids)
            batched.append(len(ids))
            if len(batched) == 2:
                assert "alone" in ids
                released = store.release(CONSUMER).next
                assert isinstance(released, Released)
                store.bury(AttemptReport(released.id, released.attempt, "{}", CONSUMER.limits), reason="refused")
                server.kill()
                store.counts()
            return moved

        selection = Selection("all", until_now(store), job_ids=tuple(ids) if named else ())
        run = BulkRuns(store).start("ana", BulkAction("replay", "replayed", replay, replay), selection, total=1701)
        until(lambda: run.waiting, "it to wait for Redis")
        assert "Redis" in str(run.waiting)
        server.start()
        assert done(run).state == "done"
        assert (run.done, run.refused.total(), run.waiting) == (1701, 0, None)
        counts = store.counts()
        assert (counts["pending"], counts["dead"], counts["expired"]) == (1700, 1, 0)
        assert list(check_consistency(store)) == []


def test_redis_that_stays_away_ends_a_run_that_says_so(store: LaneStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_runs, "MAX_OUTAGE_SECONDS", 0.05)
    with connect("redis://127.0.0.1:1/0") as client:
        run = BulkRuns(LaneStore(client)).start("ana", replay_action(), Selection("all", TimeRange(1.0)), total=1)
        assert done(run).state == "failed"
    assert "Redis" in str(run.waiting)
    fail_again(store, seed(store, [1])[0])  # what is there is untouched


@pytest.mark.parametrize("broken", ["the audit log", "the refresh"])
def test_a_run_ends_whatever_fails_after_it(store: LaneStore, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(broken)

    seed(store, range(3))
    runs = BulkRuns(store, on_finished=fail if broken == "the refresh" else lambda: None)
    if broken == "the audit log":
        monkeypatch.setattr(audit_log, "append", fail)
    run = done(runs.start("ana", replay_action(), everything(store), total=3))
    assert (run.state, run.done) == ("done", 3)
    until(lambda: not runs._stops, "its place to be free")
