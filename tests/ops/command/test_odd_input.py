"""Odd input: the command refuses it in printable lines, and changes nothing partially."""

import os

import pytest

from lanes.activity import audit_log
from lanes.printable import printable, printable_lines
from lanes.queue.store import LaneStore
from tests.ops.command.conftest import Run
from tests.ops.command.dead_letters import Bury, pipeline

ESCAPE = "\x1b[31m\u202e"


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "--no" + ESCAPE),
        ("check", ESCAPE),
        (ESCAPE,),
        ("--" + ESCAPE,),
        ("dead", ESCAPE),
        ("dead", "export", "name" + ESCAPE),
        ("backup", ESCAPE + ".rdb", "--keep", "1"),
        ("enqueue", ESCAPE),
        ("completion", ESCAPE),
        ("restore", ESCAPE, "."),
    ],
    ids=lambda arguments: printable(" ".join(arguments)),
)
def test_input_is_repeated_without_control_characters(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "\\x1b[31m" in done.stderr
    assert all(line.expandtabs().isprintable() for line in done.stderr.split("\n"))


def test_a_file_with_an_odd_name_is_reported_in_printable_text(run: Run) -> None:
    done = run("backup", ESCAPE + ".rdb")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("\\x1b[31m\\u202e.rdb: ")
    assert run("backup", ESCAPE + ".rdb").stderr.startswith("lanes: \\x1b[31m\\u202e.rdb exists already")


def test_a_file_whose_name_is_no_text_can_be_written_and_read(run: Run, store: LaneStore, refuse: Bury) -> None:
    job_id = refuse("loc", "c", pipeline(1))
    name = os.fsdecode(b"dead\xff.jsonl")
    done = run("dead", "export", name)
    assert (done.returncode, done.stderr) == (0, "exported 1 dead letter\n")
    assert run("dead", "purge", job_id, "--yes").returncode == 0
    assert run("dead", "import", name).stderr.startswith("imported 1 dead letter")
    assert [entry.detail for entry in audit_log.read(store) if entry.what == "export"] == ["to dead\\udcff.jsonl"]


@pytest.mark.parametrize(
    "command", [("audit-log", "--limit"), ("dead", "list", "--limit"), ("status", "--top")], ids=" ".join
)
def test_a_number_beyond_all_counting_is_wrong_use(quick: Run, refuse: Bury, command: tuple[str, ...]) -> None:
    refuse("loc", "c", pipeline(1))
    done = quick(*command, str(1 << 70))
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not in the range 1<=x<=1000000000" in done.stderr
    assert quick(*command, "1000000000").returncode == 0


def test_lines_stay_lines() -> None:
    assert printable_lines("a\tb\n\x1b\r\n") == "a   b\n\\x1b\\r\n"
