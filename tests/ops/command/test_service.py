"""`lanes service`: quotas, keys that are shown once, and what `lanes status` says of them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lanes.activity import audit_log
from lanes.queue.new_job import NewJob
from lanes.queue.store import LaneStore
from lanes.services.store import ServiceStore
from tests.ops.command.conftest import Run


def entries(store: LaneStore) -> list[tuple[str, str, str]]:
    """Return what was done, on what, and the detail, the oldest first."""
    return [(entry.what, entry.on, entry.detail) for entry in reversed(audit_log.read(store))]


def shown(quick: Run, name: str = "crm") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(quick("service", "show", name, "--json").stdout)
    assert found.pop("stream")["entries"] == 0
    return found


def test_it_tells_who_reads_the_outcomes(quick: Run, store: LaneStore) -> None:
    quick("service", "add", "crm")
    client: Any = store.client
    for number in range(3):
        store.enqueue(NewJob(f"job{number}", "loc", f"p/{number}", b"{}", service="crm"), 60)
        store.cancel(f"job{number}", 60)
    key = store.key("outcomes", "crm")
    client.xgroup_create(key, "slow", id="0")
    client.xgroup_create(key, "fast", id="0")
    client.xreadgroup("fast", "c", {key: ">"}, count=3)
    stream = json.loads(quick("service", "show", "crm", "--json").stdout)["stream"]
    fast, slow = stream.pop("groups")
    assert (stream["entries"], stream["lost_unread"]) == (3, 0)
    assert (fast["name"], fast["unread"], fast["behind_seconds"], fast["unacknowledged"]) == ("fast", 0, 0, 3)
    assert (slow["name"], slow["unread"], slow["unacknowledged"]) == ("slow", 3, 0)
    lines = quick("service", "show", "crm").stdout.splitlines()
    assert [line for line in lines if line.startswith("outcomes kept: 3, the oldest ")]
    assert lines[-2].split() == ["fast", "0", "0", "s", "3"]


def test_a_group_is_removed(quick: Run, store: LaneStore) -> None:
    quick("service", "add", "crm")
    client: Any = store.client
    client.xgroup_create(store.key("outcomes", "crm"), "old", id="0", mkstream=True)

    def groups() -> list[str]:
        return [
            each["name"] for each in json.loads(quick("service", "show", "crm", "--json").stdout)["stream"]["groups"]
        ]

    would = quick("service", "remove-group", "crm", "old", "--dry-run")
    what = "the group old of crm, with 0 unread and 0 unacknowledged outcomes"
    assert (would.returncode, would.stdout, would.stderr) == (0, "", f"would remove {what}\n")
    assert quick("service", "remove-group", "crm", "old").returncode == 2
    assert groups() == ["old"]
    assert quick("service", "remove-group", "crm", "old", "--yes").stderr == f"removed {what}\n"
    assert groups() == []
    again = quick("service", "remove-group", "crm", "old", "--yes")
    assert (again.returncode, again.stderr) == (
        1,
        "lanes: old: crm has no such group; see `lanes service show crm`\n",
    )
    assert (
        quick("service", "remove-group", "other", "old").stderr
        == "lanes: no service other was added: `lanes service add other` adds it\n"
    )
    assert entries(store)[-1] == ("remove group", "crm", "old")


def test_a_service_is_added_and_changed(quick: Run, store: LaneStore) -> None:
    added = quick("service", "add", "crm", "--max-pending", "1000", "--rate", "50/s")
    assert (added.returncode, added.stdout) == (0, "")
    assert added.stderr == "crm: added (max_pending=1000 max_dead=10000 rate=50 outcomes=on)\n"
    changed = quick("service", "add", "crm", "--rate", "none", "--no-outcomes")
    assert changed.stderr == "crm: changed (max_pending=1000 max_dead=10000 rate=none outcomes=off)\n"
    found = shown(quick)
    assert found.pop("added_at") > 0
    quotas = {"max_pending": 1000, "max_dead": 10_000, "rate": None}
    assert found == {"name": "crm", **quotas, "outcomes": False, "pending": 0, "dead": 0, "refused": 0, "keys": []}
    assert json.loads(quick("service", "list", "--json").stdout) == [shown(quick)]
    assert quick("service", "list").stdout.splitlines()[1].split()[:3] == ["crm", "0/1000", "0/10000"]
    assert entries(store) == [
        ("add service", "crm", "max_pending=1000 max_dead=10000 rate=50 outcomes=on"),
        ("add service", "crm", "max_pending=1000 max_dead=10000 rate=none outcomes=off"),
    ]


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["two words"], "must be 1 to 64 printable ASCII characters, no spaces"),
        (["crm", "--max-pending", "-1"], "must be a whole number from 0 to 1000000000, or none (it is '-1')"),
        (["crm", "--rate", "0/s"], "must be a whole number from 1 to 1000000, like 100/s, or none (it is '0/s')"),
        (["crm", "--rate", "5/m"], "like 100/s, or none (it is '5/m')"),
        (["crm", "--max-dead", "many"], "or none (it is 'many')"),
    ],
)
def test_wrong_use(quick: Run, store: LaneStore, options: list[str], hint: str) -> None:
    wrong = quick("service", "add", *options)
    assert wrong.returncode == 2
    assert hint in " ".join(wrong.stderr.split())
    assert ServiceStore(store).list() == []


def test_a_key_is_printed_once_and_alone(quick: Run, store: LaneStore) -> None:
    quick("service", "add", "crm")
    made = [quick("service", "key", "crm") for _ in range(2)]
    keys = [each.stdout.removesuffix("\n") for each in made]
    services = ServiceStore(store)
    assert [getattr(services.find_by_key(key), "name", None) for key in keys] == ["crm", "crm"]
    refused = quick("service", "key", "crm")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "replace the older key of crm" in refused.stderr
    third = quick("service", "key", "crm", "--yes")
    keys.append(third.stdout.removesuffix("\n"))
    assert all(len(key) == len("lanes_") + 43 and key.startswith("lanes_") for key in keys)
    fresh = ServiceStore(store)
    assert [fresh.find_by_key(key) is not None for key in keys] == [False, True, True]
    assert len(shown(quick)["keys"]) == 2
    commands = (("service", "show", "crm"), ("service", "list"), ("status",), ("audit-log",))
    told = [*(quick(*command) for command in commands), *made, third]
    for key in keys:
        assert key not in "".join(each.stderr for each in told)
        assert key not in "".join(each.stdout for each in told[:4])
        assert key not in str(entries(store))
    assert [what for what, *_ in entries(store)] == ["add service", *["make key"] * 3]
    assert quick("service", "key", "nothing").returncode == 1


def test_a_key_is_revoked(quick: Run, store: LaneStore) -> None:
    quick("service", "add", "crm")
    old, new = (quick("service", "key", "crm").stdout.strip() for _ in range(2))
    lines = [line for line in quick("service", "show", "crm").stdout.splitlines() if line.startswith("key ")]
    fingerprint = lines[0].split()[1]  # the older one stands first
    asked = quick("service", "revoke", "crm", fingerprint)
    assert (asked.returncode, len(shown(quick)["keys"])) == (2, 2)
    assert f"revoke the key {fingerprint} of crm, made " in asked.stderr
    done = quick("service", "revoke", "crm", fingerprint, "--yes")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"crm: {fingerprint} is revoked; it stops working within 10 s; 1 key left\n"
    assert [ServiceStore(store).find_by_key(key) is not None for key in (old, new)] == [False, True]
    unknown = quick("service", "revoke", "crm", fingerprint, "--yes")
    left = shown(quick)["keys"][0]["fingerprint"]
    assert (unknown.returncode, unknown.stderr) == (1, f"lanes: crm has no key {fingerprint}; its keys: {left}\n")
    assert entries(store)[-1] == ("revoke key", "crm", fingerprint)


def test_a_service_is_removed(quick: Run, store: LaneStore) -> None:
    quick("service", "add", "crm")
    key = quick("service", "key", "crm").stdout.strip()
    would = quick("service", "remove", "crm", "--dry-run")
    assert (would.returncode, would.stdout) == (0, "")
    assert "would be removed, with its quotas, 1 key and its unread outcomes" in would.stderr
    assert quick("service", "remove", "crm").returncode == 2
    assert ServiceStore(store).get("crm") is not None
    assert quick("service", "remove", "crm", "--yes").returncode == 0
    assert ServiceStore(store).find_by_key(key) is None
    for command in ("show", "remove", "key"):
        unknown = quick("service", command, "crm")
        assert (unknown.returncode, unknown.stdout) == (1, "")
        assert unknown.stderr == "lanes: no service crm was added: `lanes service add crm` adds it\n"
    assert quick("service", "list").stderr == "no services were added\n"
    assert json.loads(quick("service", "list", "--json").stdout) == []
    assert entries(store)[-1] == ("remove service", "crm", "1 key")


def test_status_shows_services_and_those_over_a_quota(quick: Run, enqueue: Callable[..., str]) -> None:
    quick("service", "add", "crm", "--max-pending", "1")
    enqueue("loc", "a", _options={"service": "crm"})
    status = quick("status")
    assert status.stdout.splitlines()[0] == "SERVICE crm IS OVER ITS QUOTA max_pending"
    assert status.stdout.splitlines()[-1].split() == ["crm", "1/1", "0/10000", "-", "0", "on", "0", "max_pending"]
    assert json.loads(quick("status", "--json").stdout)["services"][0]["pending"] == 1
    assert "crm" not in quick("status", "loc").stdout
    assert "over its quota max_pending: new rows are refused" in quick("service", "show", "crm").stderr
