"""Dead letters that the API may have: a replay says so."""

from collections.abc import Callable

import pytest

from lanes.queue.store import LaneStore
from tests.ops.command.conftest import Run
from tests.ops.command.dead_letters import state

ONE = "1 of them is unconfirmed: the API may have it already, and a replay sends it once more"
TWO = "2 of them are unconfirmed: the API may have them already, and a replay sends them once more"


def test_a_replay_of_some_that_are_unconfirmed_says_so(quick: Run, store: LaneStore, bury: Callable[..., str]) -> None:
    fine, doubtful = bury("one"), bury("two", reason="unconfirmed")
    shown = quick("dead", "replay", fine, doubtful, "--dry-run")
    assert shown.stderr.splitlines() == ["would replay 2 dead letters; nothing was changed", ONE]
    assert quick("dead", "replay", fine, "--dry-run").stderr == "would replay 1 dead letter; nothing was changed\n"
    shown = quick("dead", "replay", doubtful)
    assert (shown.returncode, shown.stderr.splitlines()) == (0, ["replayed 1 dead letter", ONE])
    assert (state(store, fine), state(store, doubtful)) == ("dead", "pending")


def test_all_of_them_are_listed_before_the_question(quick: Run, bury: Callable[..., str]) -> None:
    for name in ("one", "two"):
        bury(name, reason="unconfirmed")
    bury("three")
    shown = " ".join(quick("dead", "replay", "--all").stderr.split())
    assert f"replay 3 dead letters? {TWO}. There is no terminal to ask on" in shown
    shown = " ".join(quick("dead", "replay", "--all", "--location", "three").stderr.split())
    assert "replay 1 dead letter of three? There is no terminal to ask on" in shown
    assert quick("dead", "replay", "--all", "--yes").stderr.splitlines() == ["replayed 3 dead letters", TWO]


@pytest.mark.parametrize("flag", ["--dry-run", "--yes"])
def test_a_purge_says_nothing_of_it(quick: Run, bury: Callable[..., str], flag: str) -> None:
    bury("one", reason="unconfirmed")
    assert "unconfirmed" not in quick("dead", "purge", "--all", flag).stderr


def test_they_can_be_found_by_their_reason(quick: Run, bury: Callable[..., str]) -> None:
    bury("one")
    doubtful = bury("two", reason="unconfirmed")
    assert quick("dead", "replay", "--all", "--reason", "unconfirmed", "--dry-run").stdout.split() == [doubtful]
    why = quick("dead", "show", doubtful).stdout.splitlines()[-1]
    assert why.startswith("why            no answer confirmed that the API took it; the last answer: 422")


def test_an_export_of_them_can_be_imported(quick: Run, store: LaneStore, bury: Callable[..., str]) -> None:
    doubtful = bury("two", reason="unconfirmed")
    assert quick("dead", "export", "dead.jsonl").returncode == 0
    assert quick("dead", "purge", doubtful, "--yes").returncode == 0
    assert quick("dead", "import", "dead.jsonl").returncode == 0
    job = store.job(doubtful)
    assert job is not None
    assert (job.state, job.reason) == ("dead", "unconfirmed")
