"""Dead letters in files: exported, imported, dropped into a file."""

import csv
import fcntl
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.dead_letters import operations
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Reason
from lanes.queue.new_job import NewJob
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport
from tests.ops.command.conftest import CONSUMER, LANES, Run, environ
from tests.ops.command.dead_letters import Bury, expire, pipeline, state

ROW = b'{"pipelineId":"pipe","locationId":"loc","contactId":"%d"}'
NASTY = 'a "quoted", \n second line\r\n;\t=1+1 Ünal \\ end '


@pytest.fixture
def run(quick: Run) -> Run:
    """Commands run in this process: the files are what is tested."""
    return quick


@pytest.mark.parametrize("file", ["letters.jsonl", "letters.csv"])
def test_what_is_exported_comes_back_as_it_was(
    run: Run, store: LaneStore, refuse: Bury, enqueue: Any, file: str
) -> None:
    options = {"service": "shop", "priority": 3, "event_time": "2026-05-01T07:00:00.123456Z"}
    ids = [
        refuse("one", "a", pipeline(1), name=NASTY, monetaryValue=0.1 + 0.2, _options=options),
        refuse("one", "b", {"status": 400, "message": ["x", "y"]}, name=""),
        refuse("two", "c", pipeline(2), status="won", monetaryValue=12, reason="exhausted"),
        expire(store, enqueue),
    ]
    run("dead", "edit", ids[2], "--set", "name=Deal")
    before = [job.as_json() for job in store.jobs(ids) if job]
    assert run("dead", "export", file).stderr == "exported 4 dead letters\n"
    again = run("dead", "import", file)
    assert (again.returncode, again.stderr) == (
        0,
        "imported 0 dead letters of 4 rows; already known: 3 dead, 1 expired\n",
    )
    for gone in (lambda: run("dead", "purge", "--all", "--yes"), store.client.flushall):
        gone()
        assert run("dead", "import", file, "--dry-run").stderr == "4 of 4 rows would be imported; nothing was changed\n"
        assert run("dead", "import", file).stderr == "imported 4 dead letters of 4 rows\n"
        after = [job.as_json() for job in store.jobs(ids) if job]
        unkept = ("edited_at", "failures", "expires_at")
        assert [{**job, **dict.fromkeys(unkept)} for job in after] == [
            {**job, **dict.fromkeys(unkept)} for job in before
        ]
        assert list(check_consistency(store)) == []
        counts = store.counts()
        assert (counts["accepted"], counts["dead"], counts["expired"], counts["cancelled"]) == (4, 3, 1, 0)


def test_no_field_of_a_csv_is_a_formula(quick: Run, store: LaneStore, refuse: Bury, tmp_path: Path) -> None:
    formulas = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", '"=1"')
    ids = ["=cmd|'/C'!A0", "-1", "+x", "@x", '"quoted"', "'plain"]
    operations.restore(
        store,
        [
            DeadLetter(NewJob(job_id, "loc", f"pipe/{n}", ROW % n), Reason.REFUSED, 1.0, 2.0, ())
            for n, job_id in enumerate(ids)
        ],
    )
    ids += [refuse("-loc", f"-c{n}", pipeline(1), name=name, monetaryValue=-5) for n, name in enumerate(formulas)]
    ids.append(refuse("loc", "c", pipeline(1), name="fine", _options={"service": "=service", "priority": 3}))
    before = [job.as_json() for job in store.jobs(ids) if job]
    quick("dead", "export", "letters.csv")
    with (tmp_path / "letters.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    store.client.flushall()
    assert quick("dead", "import", "letters.csv").stderr == f"imported {len(ids)} dead letters of {len(ids)} rows\n"
    after = [job.as_json() for job in store.jobs(ids) if job]
    assert [{**job, "failures": 0} for job in after] == [{**job, "failures": 0} for job in before]


def test_an_import_replays_and_repeating_it_changes_nothing(
    run: Run, store: LaneStore, refuse: Bury, enqueue: Any
) -> None:
    fine, stale = refuse("one", "a", pipeline(1)), refuse("one", "b", pipeline(2))
    newer = enqueue("one", "b")
    job = store.release(CONSUMER).next
    store.deliver(AttemptReport(newer, getattr(job, "attempt", 0), "{}", CONSUMER.limits), retention=3600)
    run("dead", "export", "all.jsonl")
    shown = run("dead", "import", "all.jsonl", "--replay", "--json")
    assert shown.returncode == 1
    assert shown.stderr.splitlines()[0].startswith(f"{stale}: superseded by {newer}, which is newer")
    assert json.loads(shown.stdout) == {"rows": 2, "restored": 0, "replayed": 1, "refused": 1, "known": {"dead": 2}}
    assert (state(store, fine), state(store, stale)) == ("pending", "dead")
    assert json.loads(run("dead", "import", "all.jsonl", "--replay", "--json").stdout)["replayed"] == 0
    assert run("dead", "import", "all.jsonl", "--replay", "--force").returncode == 0
    assert state(store, stale) == "pending"
    assert store.counts()["accepted"] == 3


def test_bad_rows_are_reported_one_line_each(run: Run, store: LaneStore, refuse: Bury, tmp_path: Path) -> None:
    good = refuse("one", "a", pipeline(1))
    row = json.loads(run("dead", "export").stdout)
    run("dead", "purge", good, "--yes")
    attempt = row["_letter"]["attempts"][0]

    def with_dead_letter(**values: object) -> dict[str, object]:
        return {**row, "_letter": {**row["_letter"], **values}}

    wrong: list[object] = [
        "broken",
        {name: value for name, value in row.items() if name != "_letter"},
        {**row, "_letter": 7},
        {**row, "status": "opened"},
        with_dead_letter(reason="boredom"),
        with_dead_letter(reason="purged"),
        with_dead_letter(id="two words"),
        with_dead_letter(ended_at=-1),
        with_dead_letter(ended_at=None),
        with_dead_letter(attempts=[{**attempt, "outcome": "x y"}]),
        with_dead_letter(attempts=[{**attempt, "seconds": "long"}]),
        with_dead_letter(attempts=7),
        with_dead_letter(original=7),
        with_dead_letter(extra=1),
    ]
    lines = [each if isinstance(each, str) else json.dumps(each) for each in [*wrong, row]]
    (tmp_path / "bad.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shown = run("dead", "import", "bad.jsonl")
    assert shown.returncode == 1
    reported = shown.stderr.splitlines()
    assert [line.split(": ")[0] for line in reported[:-1]] == [f"bad.jsonl:{n}" for n in range(1, len(wrong) + 1)]
    assert reported[-1] == f"imported 1 dead letter of {len(lines)} rows; {len(wrong)} refused"
    assert state(store, good) == "dead"
    assert (
        run("dead", "import", "bad.jsonl", "--max-errors", "2").stderr.splitlines()[2]
        == f"... and {len(wrong) - 2} more"
    )


def test_a_file_of_dead_letters_is_readable_by_its_owner_only(run: Run, refuse: Bury, tmp_path: Path) -> None:
    refuse("one", "a", pipeline(1))
    run("dead", "export", "letters.jsonl")
    run("dead", "prune", "--keep", "0", "--to", "dropped.jsonl")
    for name in ("letters.jsonl", "dropped.jsonl"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def prunable(store: LaneStore, refuse: Bury) -> list[str]:
    ids = [refuse("one", contact, pipeline(1)) for contact in "abcde"]
    for days, job_id in zip((90, 60, 30, 2, 1), ids, strict=True):
        store.client.zincrby(store.key("dead"), -days * 86400e6, job_id)
    return ids


def test_prune_drops_by_age_and_number_what_is_in_the_file(
    run: Run, store: LaneStore, refuse: Bury, tmp_path: Path
) -> None:
    ids = prunable(store, refuse)
    prune = ("dead", "prune", "--older-than", "45d", "--keep", "4")
    assert run(*prune, "--dry-run").stderr == "would drop 2 dead letters; nothing was changed\n"
    assert store.counts()["dead"] == 5
    assert run(*prune, "--to", "dropped.jsonl").stderr == "dropped 2 dead letters\n"
    file = tmp_path / "dropped.jsonl"
    assert [state(store, job_id) for job_id in ids] == ["cancelled"] * 2 + ["dead"] * 3
    assert run(*prune, "--to", "dropped.jsonl").stderr == "dropped 0 dead letters\n"
    with file.open("a") as cut_off:
        cut_off.write('{"pipelineId": "pi')
    assert run("dead", "prune", "--keep", "1", "--to", "dropped.jsonl").stderr == "dropped 2 dead letters\n"
    shown = run("dead", "import", "dropped.jsonl")
    assert (shown.returncode, shown.stderr.splitlines()[-1]) == (1, "imported 4 dead letters of 5 rows; 1 refused")
    assert [state(store, job_id) for job_id in ids] == ["dead"] * 5
    assert list(check_consistency(store)) == []


def test_prune_adds_to_a_csv_file_with_one_header(run: Run, store: LaneStore, refuse: Bury) -> None:
    prunable(store, refuse)
    for keep in ("3", "1"):
        assert run("dead", "prune", "--keep", keep, "--to", "dropped.csv").stderr == "dropped 2 dead letters\n"
    assert run("dead", "import", "dropped.csv").stderr == "imported 4 dead letters of 4 rows\n"


def test_prune_needs_to_know_what_and_where_to(run: Run, store: LaneStore, refuse: Bury, tmp_path: Path) -> None:
    ids = prunable(store, refuse)
    for wrong in ([], ["--keep", "1"], ["--keep", "1", "--to", "f", "--no-file"], ["--to", "f"], ["--no-file"]):
        assert run("dead", "prune", *wrong).returncode == 2
    for path in ("nowhere/dropped.jsonl", "."):
        assert run("dead", "prune", "--keep", "1", "--to", path).returncode == 2
    assert "There is no terminal to ask on" in run("dead", "prune", "--keep", "1", "--no-file").stderr
    assert [state(store, job_id) for job_id in ids] == ["dead"] * 5
    assert not (tmp_path / "f").exists()
    assert run("dead", "prune", "--keep", "1", "--no-file", "--yes").stderr == "dropped 4 dead letters\n"


def test_what_cannot_be_written_is_not_dropped(run: Run, store: LaneStore, refuse: Bury) -> None:
    ids = prunable(store, refuse)
    shown = run("dead", "prune", "--keep", "0", "--to", "/dev/full")
    assert shown.returncode == 1
    assert "No space left on device" in shown.stderr
    assert [state(store, job_id) for job_id in ids] == ["dead"] * 5


def test_a_prune_that_is_killed_loses_nothing(run: Run, store: LaneStore, redis_url: str, tmp_path: Path) -> None:
    many = 8_000
    orders = (NewJob(f"job{number}", "loc", f"pipe/{number}", ROW % number) for number in range(many))
    operations.restore(store, [DeadLetter(order, Reason.REFUSED, 1.0, 2.0, ()) for order in orders])
    file = tmp_path / "dropped.jsonl"
    command = [LANES, "dead", "prune", "--keep", "0", "--to", str(file)]
    with subprocess.Popen(command, cwd=tmp_path, env=environ(redis_url), stderr=subprocess.DEVNULL) as process:
        while store.counts()["dead"] == many:
            assert process.poll() is None
        process.kill()
    written = {json.loads(line)["_letter"]["id"] for line in file.read_bytes().split(b"\n")[:-1]}
    dead = {job_id for ids in operations.read_ids(store, operations.until_now(store)) for job_id in ids}
    assert {f"job{number}" for number in range(many)} == written | dead
    assert 0 < len(dead) < many
    assert run("dead", "prune", "--keep", "0", "--to", file.name).stderr != "dropped 0 dead letters\n"
    shown = run("dead", "import", file.name, "--max-errors", "0")
    assert f"imported {many} dead letters" in shown.stderr
    assert list(check_consistency(store)) == []


def test_two_prunes_do_not_write_into_one_file(run: Run, store: LaneStore, refuse: Bury, tmp_path: Path) -> None:
    prunable(store, refuse)
    with (tmp_path / "f.jsonl").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        shown = run("dead", "prune", "--keep", "1", "--to", "f.jsonl")
    assert (shown.returncode, "another prune is writing to it" in shown.stderr) == (2, True)
    assert store.counts()["dead"] == 5
