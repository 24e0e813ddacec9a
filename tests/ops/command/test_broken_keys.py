"""Commands on stored data that cannot be read: they show the rest, name the key, and lose no body."""

import json
from collections.abc import Callable
from pathlib import Path

from lanes.queue.store import LaneStore
from tests.ops.command.conftest import Run
from tests.ops.command.dead_letters import state


def test_a_broken_key_is_named_and_everything_else_is_shown(
    quick: Run, store: LaneStore, enqueue: Callable[..., str]
) -> None:
    job_id = enqueue()
    store.client.delete(store.key("counts"))
    store.client.set(store.key("counts"), "x")
    store.client.hset(store.key("lane", "loc"), "burst", "nan")
    store.client.hset(store.key("job", job_id), "priority", b"\xff")
    shown = quick("status", "--json")
    assert (shown.returncode, json.loads(shown.stdout)["locations"][0]["pending"]) == (0, 1)
    assert (
        "lanes: counts: it has another Redis type than it should; lanes check --repair shows the repair" in shown.stderr
    )
    assert "lanes: lane:loc: burst is no number" in shown.stderr
    shown = quick("job", job_id)
    assert shown.returncode == 0
    assert f"lanes: job:{job_id}: priority is no number" in shown.stderr
    assert quick("check").returncode == 1
    quick("check", "--repair", "--yes")
    shown = quick("check", "--json")
    left = [finding for finding in json.loads(shown.stdout)["findings"] if finding["severity"] == "error"]
    assert [finding for finding in left if finding["repair"]] == []
    assert store.counts()["pending"] == 1


def test_a_broken_audit_log_does_not_prevent_its_own_repair(
    quick: Run, store: LaneStore, enqueue: Callable[..., str]
) -> None:
    enqueue()
    store.client.set(store.key("audit_log"), "x")
    assert quick("hold", "loc", "--reason", "why").returncode == 1  # no change without an entry
    shown = quick("check", "--repair", "--yes")
    assert "repaired: type audit_log" in shown.stdout
    assert quick("hold", "loc", "--reason", "why").returncode == 0
    assert len(quick("audit-log").stdout.splitlines()) >= 2


def test_a_body_that_cannot_be_read_is_in_no_file_and_is_not_dropped(
    quick: Run, store: LaneStore, bury: Callable[..., str], tmp_path: Path
) -> None:
    good, bad = bury("loc"), bury("other")
    store.client.set(store.key("body", bad), b"\xff")
    shown = quick("dead", "export", "all.jsonl")
    assert (shown.returncode, len((tmp_path / "all.jsonl").read_text().splitlines())) == (1, 1)
    assert f"{bad}: left out: its body cannot be read" in shown.stderr
    shown = quick("dead", "prune", "--older-than", "0s", "--to", "old.jsonl")
    assert f"{bad}: kept: its body cannot be read" in shown.stderr
    assert (state(store, good), state(store, bad)) == ("cancelled", "dead")
    assert store.client.get(store.key("body", bad)) == b"\xff"
