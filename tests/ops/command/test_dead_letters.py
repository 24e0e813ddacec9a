"""What people do with dead letters: find, group, edit, replay."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.job import Reason
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport
from ops.command.console import Duration
from tests.ops.command.conftest import CONSUMER, Run
from tests.ops.command.dead_letters import Bury, body_of, expire, pipeline, state
from tests.ops.command.test_terminal import on_terminal


def test_each_filter_narrows_the_list_and_what_is_replayed_purged_and_exported(
    quick: Run, store: LaneStore, refuse: Bury, enqueue: Callable[..., str]
) -> None:
    one = refuse("one", "a", pipeline(1), _options={"service": "shop"})
    two = refuse("two", "b", {"status": 404, "message": ["Contact not found", "sorry"]})
    three = refuse("two", "c", {"message": "connection failed"}, reason="exhausted")
    late = expire(store, enqueue)
    reported = {
        ("--location", "two"): [two, three],
        ("--status", "422"): [one],
        ("--message", "PIPELINE id"): [one],
        ("--message", "found; sorry"): [two],
        ("--code", "BAD_PIPELINE"): [one],
        ("--message-pattern", "The pipeline id is invalid."): [one],
        ("--message-pattern", "The pipeline id"): [],
        ("--service", "shop"): [one],
        ("--reason", "exhausted"): [three],
        ("--reason", "expired"): [late],
        ("--newer-than", "1h"): [one, two, three, late],
        ("--older-than", "1h"): [],
        ("--location", "two", "--status", "404"): [two],
        ("--location", "one", "--status", "404"): [],
    }
    for options, ids in reported.items():
        assert [job["id"] for job in json.loads(quick("dead", "list", "--json", *options).stdout)] == ids, options
        exported = [json.loads(line) for line in quick("dead", "export", *options).stdout.splitlines()]
        assert [row["_letter"]["id"] for row in exported] == ids, options
        for verb in ("replay", "purge"):
            assert quick("dead", verb, "--all", "--dry-run", *options).stdout.split() == ids, options
    assert quick("dead", "replay", "--all", "--yes", "--code", "BAD_PIPELINE").stderr == "replayed 1 dead letter\n"
    assert quick("dead", "purge", "--all", "--yes", "--reason", "expired").stderr == "purged 1 dead letter\n"
    assert [state(store, job_id) for job_id in (one, two, three, late)] == ["pending", "dead", "dead", "cancelled"]
    assert list(check_consistency(store)) == []


def test_ages_are_measured_by_the_clock_of_redis(quick: Run, store: LaneStore, refuse: Bury) -> None:
    old, new = refuse("loc", "a", pipeline(1)), refuse("loc", "b", pipeline(2))
    store.client.zincrby(store.key("dead"), -3600e6, old)
    assert [job["id"] for job in json.loads(quick("dead", "list", "--json", "--older-than", "59m").stdout)] == [old]
    assert [job["id"] for job in json.loads(quick("dead", "list", "--json", "--newer-than", "59m").stdout)] == [new]
    for wrong in ("7", "d", "-1d", "1.5h", "7 d", "9999999999s"):
        shown = quick("dead", "list", f"--older-than={wrong}")
        assert (shown.returncode, "like 30m or 7d" in " ".join(shown.stderr.split())) == (2, True)
    assert [Duration().convert(text, None, None) for text in ("90s", "30m", "12h", "7d", "2w")] == [
        *(90, 1800, 43200, 604800, 1209600),
    ]


def test_groups_count_equal_errors(quick: Run, store: LaneStore, refuse: Bury, enqueue: Any) -> None:
    first = refuse("one", "a", pipeline(1))
    for number in range(4):
        refuse(f"loc{number % 2}", f"b{number}", pipeline(number))
    for contact in ("ocQHyuzHvysMo5N5VsXc", "wWzPQ1ZyXo3NQ2VbnmKl"):
        refuse("one", "c", {"status": 404, "message": f"No contact {contact} in this location"})
    expire(store, enqueue)
    groups = json.loads(quick("dead", "list", "--group", "--json").stdout)
    assert [(each["count"], each["locations"], each["reason"], each["status"], each["code"]) for each in groups] == [
        (5, 3, "refused", 422, "BAD_PIPELINE"),
        (2, 1, "refused", 404, None),
        (1, 1, "expired", None, None),
    ]
    assert groups[0]["message"] == "The pipeline id is invalid."
    assert groups[0]["example"] == first
    assert groups[1]["message"] == "No contact … in this location"
    assert groups[0]["oldest"] < groups[0]["newest"]
    shown = quick("dead", "list", "--group")
    assert shown.stdout.splitlines()[1].split()[:5] == ["5", "3", "refused", "422", "BAD_PIPELINE"]
    assert shown.stdout.splitlines()[1].endswith("The pipeline id is invalid.")
    assert shown.stderr == "8 dead letters in 3 groups\n"
    assert len(json.loads(quick("dead", "list", "--group", "--json", "--status", "404").stdout)) == 1
    assert quick("dead", "list", "--group", "--status", "500").stderr == "no dead letters\n"


def test_a_dead_letter_shows_its_error_and_every_attempt(
    quick: Run, store: LaneStore, refuse: Bury, enqueue: Any
) -> None:
    shown = quick("dead", "show", refuse("one", "a", pipeline(1))).stdout
    assert shown.splitlines()[-1] == (
        "why            the API refused it; the last answer: 422 The pipeline id is invalid."
    )
    attempt = next(line for line in shown.splitlines() if line.startswith("  1  "))
    for part in ("0.250s", "refused", "worker=w@h", "status=422", "code=BAD_PIPELINE", "trace_id=t1"):
        assert part in attempt
    late = quick("dead", "show", expire(store, enqueue)).stdout
    assert late.splitlines()[-1] == "why            its expires_at passed before it was delivered"
    assert "'contactId': 'late'" in late


def test_an_edit_by_fields(quick: Run, store: LaneStore, refuse: Bury) -> None:
    job_id = refuse("one", "a", pipeline(1), name="old", assignedTo="someone")
    edit = ("dead", "edit", job_id, "--set", "name=new=er", "--set", "monetary_value=12.50", "--unset", "assignedTo")
    shown = quick(*edit, "--dry-run")
    assert shown.stderr.splitlines() == [
        'name: "old" -> "new=er"',
        'assignedTo: "someone" -> unset',
        "monetaryValue: unset -> 12.5",
        "nothing was changed",
    ]
    assert body_of(store, job_id)["name"] == "old"
    dead_letter = json.loads(quick(*edit, "--json").stdout)
    identity = {"pipelineId": "pipe", "locationId": "one", "contactId": "a"}
    assert dead_letter["body"] == {**identity, "name": "new=er", "monetaryValue": 12.5}
    assert dead_letter["original"] == {**identity, "name": "old", "assignedTo": "someone"}
    assert "original " in quick("dead", "show", job_id).stdout
    assert quick("dead", "edit", job_id, "--set", "name=new=er").stderr == "no field changes\n"
    quick("dead", "replay", job_id)
    assert json.loads(getattr(store.release(CONSUMER).next, "body", b"{}")) == dead_letter["body"]


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (["--set", "status=opened"], 1, "status: should be 'open', 'won', 'lost', 'abandoned' or 'all'"),
        (["--set", "statu=open"], 1, "statu: no such field; did you mean status?"),
        (["--set", "contactId=other"], 1, "pipelineId, locationId and contactId cannot be changed"),
        (["--set", "locationId=other"], 1, "pipelineId, locationId and contactId cannot be changed"),
        (["--unset", "pipelineId"], 1, "pipelineId: is required"),
        (["--set", "monetaryValue=much"], 1, "monetaryValue: should be a valid number"),
        (["--set", "status"], 2, "--set: must be FIELD=VALUE (it is 'status')"),
        (["--unset", "name"], 2, "--unset: name is not set; set are: pipelineId, locationId, contactId"),
        (["--file", "-", "--set", "name=x"], 2, "--file replaces the whole body"),
        (["--file", "nowhere.json"], 2, "'nowhere.json' does not exist"),
    ],
)
def test_an_edit_that_is_refused_changes_nothing(  # noqa: PLR0917 - fixtures
    quick: Run, store: LaneStore, refuse: Bury, arguments: list[str], status: int, line: str
) -> None:
    job_id = refuse("one", "a", pipeline(1))
    before = body_of(store, job_id)
    shown = quick("dead", "edit", job_id, *arguments)
    assert (shown.returncode, line in " ".join(shown.stderr.split())) == (status, True), shown.stderr
    assert body_of(store, job_id) == before


def test_an_edit_from_stdin_and_of_a_job_that_is_not_dead(
    quick: Run, store: LaneStore, refuse: Bury, enqueue: Any
) -> None:
    job_id = refuse("one", "a", pipeline(1))
    edited = {**body_of(store, job_id), "name": "Ünal"}
    assert quick("dead", "edit", job_id, "--file", "-", stdin=json.dumps(edited).encode()).returncode == 0
    assert body_of(store, job_id) == edited
    for wrong in (b"not json", b"[]", json.dumps({**edited, "_options": {}}).encode()):
        assert quick("dead", "edit", job_id, "--file", "-", stdin=wrong).returncode == 1
    pending = enqueue("one", "b")
    shown = quick("dead", "edit", pending, "--set", "name=x")
    assert (shown.returncode, "is not a dead letter: it is pending" in shown.stderr) == (1, True)


def test_an_edit_by_hand_may_be_tried_again(redis_url: str, store: LaneStore, refuse: Bury, tmp_path: Path) -> None:
    job_id = refuse("one", "a", pipeline(1), name="old")
    editor = tmp_path / "editor.sh"
    editor.write_text(
        'test -e again && sed -i \'s/"nam"/"name"/\' "$1" && exit\n'
        'touch again; sed -i \'s/"name": "old"/"nam": "new"/\' "$1"\n'
    )
    status, shown = on_terminal(
        redis_url, tmp_path, "dead", "edit", job_id, typed="y\n", EDITOR=f"sh {editor}", NO_COLOR="1"
    )
    assert status == 0, shown
    assert "nam: no such field; did you mean name?" in shown
    assert body_of(store, job_id)["name"] == "new"


def test_replay_names_what_is_newer(quick: Run, store: LaneStore, refuse: Bury, enqueue: Any) -> None:
    stale, fine = refuse("one", "a", pipeline(1)), refuse("one", "b", pipeline(2))
    newer = enqueue("one", "a")
    job = store.release(CONSUMER).next
    store.deliver(AttemptReport(newer, getattr(job, "attempt", 0), "{}", CONSUMER.limits), retention=3600)
    line = f"{stale}: superseded by {newer}, which is newer: it would overwrite that; --force replays it anyway"
    for extra, last in (
        ("--dry-run", "would replay 1 dead letter; nothing was changed"),
        ("--yes", "replayed 1 dead letter"),
    ):
        shown = quick("dead", "replay", "--all", extra)
        assert (shown.returncode, shown.stderr.splitlines()) == (1, [line, last])
    assert (state(store, stale), state(store, fine)) == ("dead", "pending")
    assert quick("dead", "replay", stale, "--force").stderr == "replayed 1 dead letter\n"


def test_every_reason_can_be_shown(quick: Run, refuse: Bury) -> None:
    for reason in (Reason.REFUSED, Reason.EXHAUSTED, Reason.UNAUTHORIZED, Reason.UNCONFIRMED):
        shown = quick("dead", "show", refuse("one", reason, pipeline(1), reason=reason)).stdout
        assert "; the last answer: 422" in shown.splitlines()[-1]
