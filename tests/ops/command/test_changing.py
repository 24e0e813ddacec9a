"""What changes lanes and jobs: cancel, hold, resume, dead replay, purge and export."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lanes.queue.global_state import GlobalState
from lanes.queue.results import Idle
from lanes.queue.store import LaneStore
from tests.ops.command.conftest import CONSUMER, Run


def state(store: LaneStore, job_id: str) -> str:
    job = store.job(job_id)
    assert job is not None
    return job.state.value


def test_cancel_lists_each_job_that_it_cannot_cancel(
    quick: Run, store: LaneStore, bury: Callable[..., str], enqueue: Callable[..., str]
) -> None:
    dead, pending = bury(), enqueue()
    shown = quick("cancel", pending, dead, "nobody", "--yes")
    assert shown.returncode == 1
    assert shown.stderr.splitlines() == [
        f"{dead}: not cancelled: it is a dead letter; give it up with: lanes dead purge",
        "nobody: no such job: mistyped, or done and no longer kept",
        "lanes: cancelled 1 of 3 jobs",
    ]
    assert state(store, pending) == "cancelled"
    assert quick("cancel", pending).stderr == "cancelled 1 job\n"


def test_cancel_of_more_than_one_needs_yes(quick: Run, store: LaneStore, enqueue: Callable[..., str]) -> None:
    one, two = enqueue("one"), enqueue("two")
    shown = quick("cancel", one, two, one)
    assert shown.returncode == 2
    assert "cancel 2 jobs? There is no terminal to ask on: add --yes" in " ".join(shown.stderr.split())
    assert [state(store, job_id) for job_id in (one, two)] == ["pending", "pending"]
    assert quick("cancel", one, one).stderr == "cancelled 1 job\n"
    assert quick("cancel", two, "--yes").stderr == "cancelled 1 job\n"


@pytest.mark.usefixtures("store")
def test_a_merged_job_is_not_cancelled_and_its_merge_target_is_named(quick: Run, tmp_path: Path) -> None:
    row = {"pipelineId": "p", "locationId": "loc", "contactId": "c"}
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({**row, "name": name}) + "\n" for name in "ab"))
    shown = quick("enqueue", "a.jsonl", "--merge", "--priority", "3", "--ids")
    target, merged = shown.stdout.split()
    assert quick("cancel", target, merged, "--yes").stderr.splitlines() == [
        f"{target}: not cancelled: other jobs were merged into it",
        f"{merged}: not cancelled: it was merged into another job, which delivers both",
        "lanes: cancelled 0 of 2 jobs",
    ]
    job = json.loads(quick("job", merged, "--json").stdout)
    assert (job["state"], job["merged_into"]) == ("pending", target)
    assert json.loads(quick("job", target, "--json").stdout)["body"] == {**row, "name": "b"}
    assert json.loads(quick("status", "--json").stdout)["merged"] == 1


def test_a_location_gets_limits_of_its_own(quick: Run, store: LaneStore, enqueue: Callable[..., str]) -> None:
    enqueue("one")
    assert quick("limit", "one").stderr == "one: burst 100, daily 200000, weight 1\n"
    assert quick("limit", "one", "--burst", "7", "--weight", "2").stderr == "one: burst 7, daily 200000, weight 2\n"
    assert quick("limit", "one", "--daily", "9").stderr == "one: burst 7, daily 9, weight 2\n"
    assert (store.lanes()[0].burst, store.lanes()[0].daily, store.lanes()[0].weight) == (7, 9, 2)
    assert " 0/7 " in quick("status").stdout
    [shown] = json.loads(quick("status", "--json").stdout)["locations"]
    assert (shown["burst_limit"], shown["burst_limit_by"]) == (7, "person")
    assert (shown["daily_limit"], shown["daily_limit_by"]) == (9, "person")
    assert (shown["burst"], shown["daily"], shown["api_burst"], shown["api_daily"]) == (7, 9, None, None)
    assert quick("limit", "one", "--reset").stderr == "one: burst 100, daily 200000, weight 1\n"
    assert store.lanes()[0].burst is None
    store.client.hset(store.key("lane", "one"), mapping={"api_burst": "250"})
    assert quick("limit", "one").stderr == "one: burst 250 (the API's), daily 200000, weight 1\n"
    assert " 0/250 " in quick("status").stdout
    assert " api/default " in quick("status").stdout
    assert "(it had no lane; mistyped?)" in quick("limit", "typo").stderr
    assert [lane.location_id for lane in store.lanes()] == ["one"]
    for wrong in (["one", "--burst", "0"], ["one", "--weight", "101"], ["one", "--reset", "--burst", "5"], ["a b"]):
        assert quick("limit", *wrong).returncode == 2


def test_hold_stops_a_lane_and_resume_lets_it_go_on(quick: Run, store: LaneStore, enqueue: Callable[..., str]) -> None:
    enqueue("one")
    enqueue("two")
    assert quick("hold", "one", "--reason", "why not").returncode == 0
    lane = store.lanes()[0]
    assert (lane.hold, lane.held_by, lane.due_in) == ("why not", "operator", None)
    assert quick("resume", "one").stderr == "one resumed (it was held by operator: why not)\n"
    assert store.lanes()[0].due_in is not None
    assert quick("resume", "one").stderr == "one was not held\n"
    for name in ("one", "two"):
        quick("hold", name, "--reason", "r")
    assert quick("resume", "--all-held", "--yes").returncode == 0
    assert [lane.hold for lane in store.lanes()] == [None, None]
    assert quick("resume", "--all-held").stderr == "no lane is held\n"


def test_everything_is_held_and_lanes_held_on_their_own_stay_so(
    quick: Run, store: LaneStore, enqueue: Callable[..., str]
) -> None:
    enqueue("one")
    enqueue("two")
    quick("hold", "one", "--reason", "own", "--by", "ada")
    assert re.search(r"two .* now  ", quick("status").stdout)
    assert quick("hold", "--all", "--reason", "prices", "--by", "bob").stderr == (
        "all lanes are held; resume them with: lanes resume --all\n"
    )
    assert store.release(CONSUMER).next == Idle(None)
    shown = quick("status").stdout.splitlines()
    assert shown[0].startswith("ALL LANES ARE HELD since 2")
    assert shown[0].endswith("by bob: prices")
    hold = json.loads(quick("status", "--json").stdout)["hold"]
    assert (hold["by"], hold["reason"]) == ("bob", "prices")
    assert re.search(r"two .* hold of all  ", quick("status").stdout)
    one, two = json.loads(quick("status", "--json").stdout)["locations"]
    assert [(lane["due_in"], lane["waits_for"]) for lane in (one, two)] == [(None, None), (None, "all_held")]
    assert "(until now by bob: prices)" in quick("hold", "--all", "--reason", "still").stderr
    assert quick("resume", "--all").stderr.splitlines() == [
        "all lanes resumed (held until now by operator: still)",
        "1 lane still held (1 by ada); resume with: lanes resume --all-held",
    ]
    assert quick("resume", "--all").stderr.startswith("nothing to end: there is no hold and no brake of all lanes\n")
    released = store.release(CONSUMER).next
    assert getattr(released, "location_id", None) == "two"
    assert store.release(dataclasses.replace(CONSUMER, worker="other")).next == Idle(None)


@pytest.mark.parametrize(
    "wrong", [["--reason", "r"], ["one", "--all", "--reason", "r"], ["one", "--reason", "r", "--by", "authorization"]]
)
def test_hold_and_resume_need_to_know_what(quick: Run, store: LaneStore, wrong: list[str]) -> None:
    assert quick("hold", *wrong).returncode == 2
    assert quick("resume", "--all", "--all-held").returncode == 2
    assert store.global_state() == GlobalState()


def test_mistyped_locations_are_reported(quick: Run) -> None:
    assert "(it had no lane; mistyped?)" in quick("hold", "typo", "--reason", "r").stderr
    shown = quick("resume", "nowhere")
    assert (shown.returncode, shown.stderr) == (
        1,
        "nowhere: no such lane; mistyped, or idle for more than a day?\nlanes: 1 location unknown\n",
    )
    for wrong in ("a b", "\x1b[31m", ""):
        shown = quick("hold", wrong, "--reason", "r")
        assert shown.returncode == 2
        assert "must be 1 to 64 letters, digits, - or _" in shown.stderr
        assert "\x1b" not in shown.stderr


def test_replay_of_some(quick: Run, store: LaneStore, bury: Callable[..., str]) -> None:
    first, second = bury("one"), bury("two")
    shown = quick("dead", "replay", first, "nobody")
    assert shown.returncode == 1
    assert shown.stderr.splitlines() == [
        "nobody: no such job: mistyped, or done and no longer kept",
        "replayed 1 dead letter",
    ]
    assert (state(store, first), state(store, second)) == ("pending", "dead")


def test_replay_of_all_needs_yes_and_can_be_narrowed(quick: Run, store: LaneStore, bury: Callable[..., str]) -> None:
    one, two, three = bury("one"), bury("two"), bury("two", "other", reason="exhausted")
    shown = quick("dead", "replay", "--all")
    assert shown.returncode == 2
    assert "replay 3 dead letters? There is no terminal to ask on: add --yes" in " ".join(shown.stderr.split())
    shown = quick("dead", "replay", "--all", "--location", "two", "--dry-run")
    assert (shown.returncode, shown.stdout.split()) == (0, [two, three])
    assert [state(store, job_id) for job_id in (one, two, three)] == ["dead"] * 3
    shown = quick("dead", "replay", "--all", "--location", "two", "--reason", "exhausted", "--yes")
    assert shown.stderr == "replayed 1 dead letter\n"
    assert [state(store, job_id) for job_id in (one, two, three)] == ["dead", "dead", "pending"]
    assert quick("dead", "replay", "--all", "--yes").stderr == "replayed 2 dead letters\n"
    assert quick("dead", "replay", "--all", "--yes").stderr == "replayed 0 dead letters\n"


@pytest.mark.parametrize("arguments", [[], ["x", "--all"], ["x", "--location", "l"], ["--location", "l"]])
def test_replay_needs_to_know_which_dead_letters(quick: Run, arguments: list[str]) -> None:
    for verb in ("replay", "purge"):
        shown = quick("dead", verb, *arguments)
        assert shown.returncode == 2
        assert "say which: ID..., or --all" in shown.stderr


def test_purge(quick: Run, store: LaneStore, bury: Callable[..., str]) -> None:
    one, two = bury("one"), bury("two")
    assert quick("dead", "purge", one).returncode == 2
    assert state(store, one) == "dead"
    assert quick("dead", "purge", one, "--yes").stderr == "purged 1 dead letter\n"
    assert state(store, one) == "cancelled"
    assert quick("dead", "purge", "--all", "--dry-run").stdout.split() == [two]
    assert quick("dead", "purge", "--all", "--yes").stderr == "purged 1 dead letter\n"
    assert store.counts()["cancelled"] == 2


def test_what_is_exported_is_enqueued_as_it_is(
    run: Run, store: LaneStore, bury: Callable[..., str], tmp_path: Path
) -> None:
    first = bury("one", "a", name="Ünal", monetaryValue=49.5)
    second = bury("two", "b", _options={"service": "shop"})
    shown = run("dead", "export", "dead.jsonl", "--rows", "--reasons-to", "why.jsonl")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "", "exported 2 dead letters\n")
    rows = [json.loads(line) for line in (tmp_path / "dead.jsonl").read_text("utf-8").splitlines()]
    assert rows[0] == {
        "pipelineId": "pipe",
        "locationId": "one",
        "contactId": "a",
        "name": "Ünal",
        "monetaryValue": 49.5,
    }
    assert rows[1]["_options"] == {"service": "shop"}
    whys = [json.loads(line) for line in (tmp_path / "why.jsonl").read_text("utf-8").splitlines()]
    assert [(why["line"], why["id"], why["reason"]) for why in whys] == [(1, first, "refused"), (2, second, "refused")]
    assert whys[0]["answer"].startswith("422 property name is")
    assert json.loads(run("enqueue", "dead.jsonl", "--json").stdout)["accepted"] == 2
    released = store.release(CONSUMER).next
    assert json.loads(getattr(released, "body", b"{}")) == rows[0]


def test_an_export_overwrites_nothing(run: Run, bury: Callable[..., str], tmp_path: Path) -> None:
    bury("one")
    bury("two")
    (tmp_path / "mine.jsonl").write_text("edited\n", encoding="utf-8")
    shown = run("dead", "export", "mine.jsonl")
    assert shown.returncode == 2
    assert "mine.jsonl exists already" in shown.stderr
    assert (tmp_path / "mine.jsonl").read_text("utf-8") == "edited\n"
    shown = run("dead", "export", "--location", "two")
    assert [json.loads(line)["locationId"] for line in shown.stdout.splitlines()] == ["two"]
