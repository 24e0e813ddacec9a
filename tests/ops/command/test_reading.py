"""What shows and changes nothing: status, job, dead list and show, check, and the help."""

import json
from collections.abc import Callable

import pytest

from lanes.queue.lane import COUNTS
from lanes.queue.rejected_task import RefusedRow, RejectedTask
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport
from lanes.times import format_time
from ops.command import COMMANDS
from producers import OpportunityProducer
from tests.ops.command.conftest import CONSUMER, Run


def test_status_of_an_empty_redis(quick: Run) -> None:
    shown = quick("status", "--json")
    assert shown.returncode == 0
    assert json.loads(shown.stdout) == {
        **dict.fromkeys(COUNTS, 0),
        "hold": None,
        "outage": None,
        "brake": None,
        "services": [],
        "locations": [],
    }
    assert quick("status").stdout.startswith("accepted 0  pending 0  in flight 0  delivered 0")


def test_status_counts_the_whole_and_each_lane(quick: Run, enqueue: Callable[..., str], store: LaneStore) -> None:
    enqueue("small", "a")
    for contact in "abc":
        enqueue("big", contact)
    store.hold("small", "asked the\x1b customer", "operator")
    found = json.loads(quick("status", "--json").stdout)
    assert (found["accepted"], found["pending"]) == (4, 4)
    assert [(lane["location_id"], lane["pending"]) for lane in found["locations"]] == [("big", 3), ("small", 1)]
    lines = quick("status").stdout.splitlines()
    headings = "location pending in_flight delivered dead retried throttled window day limits_by due_in brake hold"
    assert lines[1].split() == headings.split()
    assert lines[2].split() == ["big", "3", "0", "0", "0", "0", "0", "0/100", "0/200000", "default", "now", "-", "-"]
    assert lines[3].endswith(r"operator: asked the\x1b customer")


def test_status_of_some_lanes_and_of_an_unknown_one(quick: Run, enqueue: Callable[..., str]) -> None:
    enqueue("one")
    enqueue("two")
    shown = quick("status", "two", "three", "--json")
    assert shown.returncode == 1
    assert [lane["location_id"] for lane in json.loads(shown.stdout)["locations"]] == ["two"]
    assert shown.stderr == "lanes: three: no such lane; mistyped, or idle for more than a day?\n"


def test_what_a_task_refused_is_shown_under_its_id(quick: Run, store: LaneStore) -> None:
    rows = (RefusedRow(2, (("monetaryValue", "must be a number"), ("name\x1b", "no such field"))), RefusedRow(3, ()))
    store.reject_rows(RejectedTask("task-1", 3, 1, rows), {"shop": 2}, 60)
    shown = quick("job", "task-1")
    assert shown.returncode == 1
    assert shown.stdout.splitlines()[2] == r"row 2: monetaryValue: must be a number; name\x1b: no such field"
    assert shown.stderr == (
        "lanes: task-1 is no job: 2 of 3 rows were refused; the others are enqueued as task-1-ROW\n"
    )
    found = json.loads(quick("job", "task-1", "--json").stdout)
    assert (found["id"], found["rows"], found["accepted"]) == ("task-1", 3, 1)
    assert found["refused"][0]["errors"][0] == {"field": "monetaryValue", "message": "must be a number"}
    assert "state" not in found
    assert [row["row"] for row in json.loads(quick("job", "task-1-3", "--json").stdout)["refused"]] == [3]
    assert "see lanes job task-1" in quick("dead", "show", "task-1").stderr
    counts = json.loads(quick("status", "--json").stdout)
    assert not any(counts[name] for name in COUNTS)
    assert quick("check").returncode == 0


def test_status_of_many_lanes_shows_the_longest(run: Run, store: LaneStore) -> None:
    rows = [
        {"pipelineId": "p", "locationId": f"loc-{n}", "contactId": f"c{k}"}
        for n in range(2500)
        for k in "ab"[: n % 2 + 1]
    ]
    assert OpportunityProducer(store).enqueue_many(rows).accepted == 3750
    assert len(json.loads(run("status", "--json").stdout)["locations"]) == 2500
    shown = run("status", "--top", "3")
    assert [line.split()[1] for line in shown.stdout.splitlines()[2:]] == ["2", "2", "2"]
    assert shown.stderr == "... and 2497 more lanes\n"


def test_a_job_and_its_attempts(run: Run, bury: Callable[..., str]) -> None:
    job_id = bury(name="Ünal")
    found = json.loads(run("job", job_id, "--json").stdout)
    assert (found["id"], found["location_id"], found["state"]) == (job_id, "loc", "dead")
    assert [(attempt["number"], attempt["status"]) for attempt in found["attempts"]] == [(1, 422)]
    text = run("job", job_id).stdout
    assert f"id             {job_id}\n" in text
    assert "status=422" in text
    assert "\x1b" not in text
    assert json.loads(run("dead", "show", job_id, "--json").stdout) == found


def test_what_a_job_waits_for(quick: Run, enqueue: Callable[..., str], store: LaneStore) -> None:
    first, second = enqueue(), enqueue()
    store.hold("loc", "asked\x1b them", "ada")
    assert "\nwaits          because its lane is held by ada: asked\\x1b them\n" in quick("job", first).stdout
    assert f"\nwaits          for an older job of its record, beginning with {first}\n" in quick("job", second).stdout
    store.resume("loc")
    waits = json.loads(quick("job", second, "--json").stdout)["waits"]
    assert [(wait["cause"], wait["job_id"], wait["until"]) for wait in waits] == [("record", first, None)]
    store.throttle(AttemptReport(getattr(store.release(CONSUMER).next, "id", ""), 1, "{}", CONSUMER.limits), wait=3600)
    until = json.loads(quick("job", first, "--json").stdout)["waits"][0]["until"]
    assert f"is renewed) (until {format_time(until)})\n" in quick("job", first).stdout
    store.cancel(second, 60)
    assert "\nwaits " not in quick("job", second).stdout


def test_a_job_that_is_not_there(quick: Run, enqueue: Callable[..., str]) -> None:
    for command in (["job"], ["dead", "show"]):
        shown = quick(*command, "nobody")
        assert (shown.returncode, shown.stdout) == (1, "")
        assert shown.stderr == "lanes: no job nobody: mistyped, or done and no longer kept\n"
    job_id = enqueue()
    shown = quick("dead", "show", job_id)
    assert (shown.returncode, shown.stderr) == (
        1,
        f"lanes: {job_id} is not a dead letter: it is pending; see lanes job {job_id}\n",
    )


def test_dead_letters_are_listed_by_location_and_reason(quick: Run, bury: Callable[..., str]) -> None:
    assert json.loads(quick("dead", "list", "--json").stdout) == []
    assert quick("dead", "list").stderr == "no dead letters\n"
    first, second, third = bury("one"), bury("two"), bury("two", "other", reason="exhausted")

    def ids(*options: str) -> list[str]:
        return [job["id"] for job in json.loads(quick("dead", "list", "--json", *options).stdout)]

    assert ids() == [first, second, third]
    assert ids("--location", "two") == [second, third]
    assert ids("--reason", "exhausted") == [third]
    assert ids("--location", "one", "--reason", "exhausted") == []
    assert ids("--limit", "2") == [first, second]
    shown = quick("dead", "list", "--limit", "1")
    assert len(shown.stdout.splitlines()) == 2
    assert "\x1b" not in shown.stdout
    assert shown.stderr == "... and 2 more (--limit)\n"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("up", "demo")])
def test_every_help_has_examples(quick: Run, name: str) -> None:
    shown = quick(name, "-h")
    assert shown.returncode == 0
    assert shown.stdout.split("Examples:\n")[1].count("lanes ") >= 2
    assert shown.stdout.startswith(f"Usage: lanes {name} ")


def test_the_root_lists_every_command(quick: Run) -> None:
    shown = quick("--help").stdout
    for name in COMMANDS:
        assert f"\n  {name} " in shown
    assert quick().stdout + quick().stderr == shown


@pytest.mark.parametrize("name", ["up", "demo"])
def test_the_commands_that_start_parts_can_be_imported(run: Run, name: str) -> None:
    assert "xample" in run(name, "--help").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str) -> None:
    assert "_LANES_COMPLETE" in run("completion", shell).stdout
    words = {"COMP_WORDS": "lanes st", "COMP_CWORD": "1" if shell != "fish" else "st"}
    assert "status" in run(_LANES_COMPLETE=f"{shell}_complete", **words).stdout


def test_version(run: Run) -> None:
    assert run("--version").stdout == "lanes, version 0.1.0\n"
