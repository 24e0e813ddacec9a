"""`lanes forget`: what it removes, what it refuses, and what it says."""

import json
from collections.abc import Callable

import pytest

from lanes.activity import audit_log
from lanes.checks.consistency import check_consistency
from lanes.queue import transitions
from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport
from tests.ops.command.conftest import CONSUMER, Run

Enqueue = Callable[..., str]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs count as accepted long ago."""
    monkeypatch.setattr(transitions, "HISTORY_GRACE_SECONDS", -3600)


def deliver(store: LaneStore) -> None:
    job = store.release(CONSUMER).next
    assert isinstance(job, Released)
    store.deliver(AttemptReport(job.id, job.attempt, "{}", CONSUMER.limits), retention=3600)


def test_a_mistyped_location_is_forgotten(quick: Run, store: LaneStore) -> None:
    for name, *options in (("hold", "--reason", "why"), ("limit", "--burst", "5"), ("limit", "--weight", "2")):
        quick(name, "typo", *options)
    assert store.locations() == {"typo"}
    shown = quick("forget", "typo")
    assert shown.returncode == 2
    assert "forget 1 lane? There is no terminal to ask on" in " ".join(shown.stderr.split())
    shown = quick("forget", "typo", "--dry-run")
    assert (shown.returncode, shown.stderr) == (0, "typo: would be forgotten\n")
    assert store.locations() == {"typo"}
    shown = quick("forget", "typo", "--yes", "--by", "ada")
    assert (shown.returncode, shown.stderr) == (0, "typo: forgotten; 0 dead letters purged, 0 done jobs removed\n")
    assert (store.locations(), store.client.exists(store.key("lane", "typo"))) == (set(), 0)
    newest = audit_log.read(store, 1)[0]
    assert (newest.who, newest.what, newest.on) == ("ada", "forget", "typo")
    shown = quick("forget", "typo", "--yes")
    assert (shown.returncode, shown.stderr) == (1, "typo: no such lane; mistyped, or idle for more than a day?\n")
    assert [finding for finding in check_consistency(store) if finding.repair] == []


def test_a_lane_with_work_is_refused_and_named_beside_the_others(
    quick: Run, store: LaneStore, enqueue: Enqueue
) -> None:
    enqueue("flying")
    assert isinstance(store.release(CONSUMER).next, Released)
    enqueue("waiting")
    store.hold("typo", "why", "ada")
    shown = quick("forget", "typo", "waiting", "flying", "--yes", "--json")
    assert shown.returncode == 1
    assert {each["location_id"]: each["answer"] for each in json.loads(shown.stdout)} == {
        "typo": "forgotten",
        "waiting": "waiting",
        "flying": "in_flight",
    }
    assert "waiting: not forgotten: jobs are pending; let them be delivered, or cancel them" in shown.stderr
    assert "flying: not forgotten: jobs are in flight; try again when they have ended" in shown.stderr
    assert store.locations() == {"waiting", "flying"}


@pytest.mark.usefixtures("later")
def test_dead_letters_are_purged_only_with_yes(quick: Run, store: LaneStore, bury: Enqueue) -> None:
    dead = bury()
    shown = quick("forget", "loc", "--dry-run")
    assert (shown.returncode, shown.stderr) == (0, "loc: would be forgotten, and 1 dead letter purged\n")
    assert store.counts()["dead"] == 1
    shown = quick("forget", "loc")
    assert (shown.returncode, store.counts()["dead"]) == (2, 1)
    assert "forget 1 lane and purge 1 dead letter?" in " ".join(shown.stderr.split())
    shown = quick("forget", "loc", "--yes")
    assert shown.returncode == 0
    assert shown.stderr.startswith(
        "loc: emptied; 1 dead letter purged, 1 done job removed; a worker ends the lane in 24 h"
    )
    assert (store.counts()["cancelled"], store.job(dead)) == (1, None)


@pytest.mark.usefixtures("later")
def test_history_and_settings_go_at_once_and_the_lane_when_its_day_is_over(
    quick: Run, store: LaneStore, enqueue: Enqueue
) -> None:
    """Otherwise a new lane of the location could send a second day's requests."""
    ids = [enqueue(contact=f"c{n}") for n in range(3)]
    for _ in ids:
        deliver(store)
    cancelled, other = enqueue(), enqueue("other")
    store.cancel(cancelled, 3600)
    deliver(store)
    store.hold("loc", "why", "ada")
    before = store.counts()
    shown = quick("forget", "loc", "--yes", "--json")
    [found] = json.loads(shown.stdout)
    assert (shown.returncode, found["answer"], found["done_jobs"]) == (0, "emptied", 4)
    assert 86_000 < found["ends_in"] < 90_000
    assert (store.jobs([*ids, cancelled]), store.counts()) == ([None] * 4, before)
    assert store.job(other) is not None
    [lane] = store.lanes(["loc"])
    assert (lane.hold, lane.day_used) == (None, 3)
    slots = store.key("rate_slots", "loc")
    store.client.delete(slots)
    store.client.zadd(slots, {f"{ids[0]}:1": 1})
    store.client.hset(store.key("lane", "loc"), "day_quarter", 1)
    assert store.end_idle_lanes(0, 10)[1] == ["loc"]
    assert store.counts() == before
    assert [finding for finding in check_consistency(store) if finding.repair] == []


def test_jobs_that_end_while_the_history_is_removed_keep_the_lane(store: LaneStore, enqueue: Enqueue) -> None:
    enqueue()
    deliver(store)
    seen = store.read_hash("lane", "loc")[b"kept_until"].decode()
    store.client.hset(store.key("lane", "loc"), "kept_until", int(seen) + 1)
    store.client.delete(store.key("rate_slots", "loc"))
    store.client.hdel(store.key("lane", "loc"), "day_quarter")
    answer, ends_in = store.forget_lane("loc", seen)
    assert answer == "emptied"
    assert ends_in == pytest.approx(3600, abs=60)
    assert store.forget_lane("loc", str(int(seen) + 1)) == ("forgotten", 0)


def test_a_job_that_was_accepted_a_moment_ago_stays(quick: Run, store: LaneStore, enqueue: Enqueue) -> None:
    job = enqueue()
    deliver(store)
    shown = quick("forget", "loc", "--yes")
    assert "0 done jobs removed, 1 kept: accepted a moment ago, and a retried enqueue must find them" in shown.stderr
    assert store.job(job) is not None
    assert b"kept_until" in store.read_hash("lane", "loc")


def test_without_redis(quick: Run) -> None:
    assert quick("forget", "loc", "--yes", url="redis://127.0.0.1:1").returncode == 3
