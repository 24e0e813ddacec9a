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
        (["resume", "loc"], ("resume", "loc", "was held by operator")),
        (["hold", "--all", "--reason", "storm"], ("hold", "everything", "storm")),
        (["resume", "--all"], ("resume", "everything", "was held by operator")),
        (["limit", "loc", "--burst", "7", "--weight", "2"], ("limit", "loc", "burst=7 weight=2")),
        (["limit", "loc", "--reset"], ("limit", "loc", "reset")),
        (["dead", "export", str(out), "--reason", "refused"], ("export", "dead letters (refused)", f"to {out}")),
        (["job", waiting], ("reveal", waiting, "pending, location loc")),
        (["job", dead, "--json"], ("reveal", dead, "dead, location loc")),
        (["dead", "show", dead], ("reveal", dead, "dead, location loc")),
        (["dead", "list", "--json", "--location", "loc"], ("reveal", "dead letters of loc", "as JSON")),
        (["dead", "edit", dead, "--set", "name=New", "--dry-run"], ("reveal", dead, "dead, location loc")),
        (["dead", "replay", dead], ("replay", dead, "")),
        (["cancel", dead], ("cancel", dead, "")),
        (["dead", "import", str(out)], ("import", str(out), "")),
        (["cancel", waiting], ("cancel", waiting, "")),
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
        ["dead", "import", str(out), "--dry-run"],
        ["dead", "prune", "--keep", "0", "--dry-run"],
        ["dead", "list"],
        ["dead", "list", "--group", "--json"],
        ["limit", "loc"],
        ["job", another, "--no-content"],
        ["job", waiting],
        ["resume", "loc"],
    ):
        quick(*arguments)
    assert len(reported(store)) == count
    quick("dead", "edit", another, "--set", "name=New")
    assert [entry[0] for entry in reported(store)[:2]] == ["edit", "reveal"]
    quick("dead", "purge", "--all", "--location", "other", "--yes")
    assert reported(store)[0][:2] == ("purge", "1 dead letter of other")


def test_a_token_is_named_and_never_shown(quick: Run, store: LaneStore) -> None:
    quick("token", "set", "loc", stdin=b"pit-secret-token-value", LANES_SECRET_KEY=KEY)
    quick("token", "remove", "loc", "--yes", LANES_SECRET_KEY=KEY)
    assert [entry[:2] for entry in reported(store)] == [("remove token", "loc"), ("set token", "loc")]
    assert not any("secret" in text for entry in reported(store) for text in entry)


def test_content_is_only_shown_if_the_entry_can_be_written(
    quick: Run, store: LaneStore, redis_url: str, bury: Callable[..., str]
) -> None:
    dead = bury(name="Some-Content")
    reader = redis_url.replace("redis://", "redis://reader:pass@", 1)
    store.client.acl_setuser("reader", enabled=True, passwords=["+pass"], commands=["+@all", "-xadd"], keys=["*"])
    try:
        shown = [quick(*arguments, url=reader) for arguments in (["job", dead], ["dead", "show", dead, "--json"])]
    finally:
        store.client.acl_deluser("reader")
    for one in shown:
        assert one.returncode == 0
        assert dead in one.stdout
        assert "Some-Content" not in one.stdout
        assert "the content is not shown, because the audit log cannot be written" in one.stderr


def test_a_new_token_that_replays_says_so(quick: Run, store: LaneStore, bury: Callable[..., str]) -> None:
    bury(reason="unauthorized")
    quick("token", "set", "loc", "--replay", stdin=b"pit-secret-token-value", LANES_SECRET_KEY=KEY)
    assert reported(store)[0] == ("replay", "1 dead letter of loc (unauthorized)", "with the new token")
    quick("token", "set", "loc", "--replay", stdin=b"pit-another-token-value", LANES_SECRET_KEY=KEY)
    assert [entry[0] for entry in reported(store)] == ["set token", "replay", "set token"]


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
    assert lines[1].split()[1:] == ["ben", "ben", "purge", "loc-0", "-"]


def test_an_entry_keeps_the_system_user_beside_the_given_name(
    quick: Run, store: LaneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    quick("hold", "loc", "--reason", "x")
    quick("hold", "loc", "--reason", "y", "--by", "grace")
    quick("resume", "loc", "--by", "grace")
    assert quick("resume", "loc", "--by", "outage").returncode == 2
    entries = audit_log.read(store)
    assert [entry.who.split("@")[0] for entry in entries] == ["grace", "grace", "ada"]
    assert {entry.user.split("@")[0] for entry in entries} == {"ada"}
    shown = json.loads(quick("audit-log", "--who", entries[0].user, "--json").stdout)
    assert [(entry["who"], entry["user"]) for entry in shown] == [(entry.who, entry.user) for entry in entries]
