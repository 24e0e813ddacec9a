"""Each command that changes something writes an audit-log entry, and `lanes audit-log` shows it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lanes.activity import audit_log
from lanes.queue.store import LaneStore
from tests.ops.command.conftest import Run

KEY = "bGFuZXMtdGVzdC1rZXktZm9yLXRoZS12YXVsdC0wMDE="


def reported(store: LaneStore) -> list[tuple[str, str, str]]:
    return [(entry.what, entry.on, entry.detail) for entry in audit_log.read(store)]


def test_every_change_leaves_an_entry_and_no_dry_run_does(
    quick: Run, store: LaneStore, enqueue: Callable[..., str], bury: Callable[..., str], tmp_path: Path
) -> None:
    dead = bury()
    waiting = enqueue()
    out = tmp_path / "dead.jsonl"
    calls: list[tuple[list[str], tuple[str, str, str]]] = [
        (["hold", "loc", "--reason", "to look"], ("hold", "loc", "to look")),
        (["resume", "loc"], ("resume", "loc", "")),
        (["hold", "--all", "--reason", "storm"], ("hold", "everything", "storm")),
        (["resume", "--all"], ("resume", "everything", "")),
        (["limit", "loc", "--burst", "7", "--weight", "2"], ("limit", "loc", "burst=7 weight=2")),
        (["limit", "loc", "--reset"], ("limit", "loc", "reset")),
        (["cancel", waiting], ("cancel", waiting, "")),
        (["dead", "export", str(out), "--reason", "refused"], ("export", "dead letters (refused)", f"to {out}")),
        (["dead", "edit", dead, "--set", "name=New"], ("edit", dead, "")),
        (["dead", "replay", dead], ("replay", dead, "")),
        (["cancel", dead], ("cancel", dead, "")),
        (["dead", "import", str(out)], ("import", str(out), "")),
    ]
    for arguments, entry in calls:
        before = len(reported(store))
        quick(*arguments)
        assert reported(store)[0] == entry
        assert len(reported(store)) == before + 1
    count = len(reported(store))
    another = bury("other")
    for arguments in (
        ["dead", "replay", "--all", "--dry-run"],
        ["dead", "purge", "--all", "--dry-run"],
        ["dead", "edit", another, "--set", "name=New", "--dry-run"],
        ["dead", "import", str(out), "--dry-run"],
        ["dead", "prune", "--keep", "0", "--dry-run"],
        ["limit", "loc"],
        ["resume", "loc"],
    ):
        quick(*arguments)
    assert len(reported(store)) == count
    quick("dead", "purge", "--all", "--location", "other", "--yes")
    assert reported(store)[0][:2] == ("purge", "1 dead letter of other")


def test_a_token_is_named_and_never_shown(quick: Run, store: LaneStore) -> None:
    quick("token", "set", "loc", stdin=b"pit-secret-token-value", LANES_SECRET_KEY=KEY)
    quick("token", "remove", "loc", "--yes", LANES_SECRET_KEY=KEY)
    assert [entry[:2] for entry in reported(store)] == [("remove token", "loc"), ("set token", "loc")]
    assert not any("secret" in text for entry in reported(store) for text in entry)


def test_the_newest_come_first_filtered_and_limited(quick: Run, store: LaneStore) -> None:
    assert quick("audit-log").stderr == "no changes found\n"
    for number in range(600):
        audit_log.append(store, "anna" if number % 2 else "ben", "hold" if number % 3 else "purge", f"loc-{number}")
    shown = json.loads(quick("audit-log", "--who", "anna", "--what", "purge", "--limit", "90", "--json").stdout)
    assert len(shown) == 90
    assert shown[0]["on"] == "loc-597"
    assert {entry["who"] for entry in shown} == {"anna"}
    lines = quick("audit-log", "--on", "loc-0").stdout.splitlines()
    assert len(lines) == 2
    assert lines[1].split()[1:] == ["ben", "purge", "loc-0", "-"]


def test_an_entry_names_the_given_person_or_the_system_user(
    quick: Run, store: LaneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    quick("hold", "loc", "--reason", "x")
    quick("hold", "loc", "--reason", "y", "--by", "grace")
    assert [entry.who.split("@")[0] for entry in audit_log.read(store)] == ["grace", "ada"]
