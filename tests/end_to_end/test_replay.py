"""A thousand dead letters replayed under traffic."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lanes.checks.consistency import check_consistency
from lanes.queue.job import State
from ops.embedded.stack import Stack
from ops.sandbox import SandboxControl
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until

LANES = str(Path(sys.executable).with_name("lanes"))
LOCATIONS = [f"loc-{number}" for number in range(10)]
DEAD_LETTERS = 100
SUPERSEDED = 10  # dead letters per location whose record has a newer delivered upsert at the replay
FOLLOWED = 20  # those whose record has a newer upsert that waits during the replay
OTHER_UPSERTS = 30  # upserts per location for records without dead letters
OLD, NEW = 1, 2


def failing_row(location: str, number: int) -> dict[str, object]:
    """A row of an export: a dead letter that failed a minute after its acceptance, long ago."""
    attempt = {
        "number": 1,
        "outcome": "refused",
        "started_at": 1e9,
        "ended_at": 1e9 + 1,
        "status": 422,
        "message": "no",
    }
    tag = {"id": f"{location}-{number}", "reason": "refused", "accepted_at": 1e9, "ended_at": 1e9 + 60 + number}
    return {**row(location, f"contact-{number}", monetaryValue=OLD), "_letter": {**tag, "attempts": [attempt]}}


def test_a_thousand_dead_letters_replayed_under_traffic(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    stack = make_stack("--latency", "0.05-0.15")
    store, control, producer = store_of(stack), SandboxControl(stack.sandbox_url), producer_of(stack)

    def lanes(*arguments: str) -> "subprocess.CompletedProcess[str]":
        environ = {**os.environ, **stack.environ, "LANES_REDIS_URL": stack.redis.url}
        return subprocess.run([LANES, "dead", *arguments], capture_output=True, text=True, env=environ, check=False)

    file = tmp_path / "letters.jsonl"
    rows = [failing_row(location, number) for number in range(DEAD_LETTERS) for location in LOCATIONS]
    file.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    assert lanes("import", str(file)).stderr == "imported 1000 dead letters of 1000 rows\n"

    def newer(first: int, last: int) -> list[dict[str, object]]:
        return [
            row(location, f"contact-{number}", monetaryValue=NEW)
            for number in range(first, last)
            for location in LOCATIONS
        ]

    accepted = producer.enqueue_many(newer(0, SUPERSEDED)).job_ids
    stack.start_worker("one")
    until(lambda: all_done(store), "the first newer upserts delivered")
    for location in LOCATIONS:
        store.hold(location, "so that they wait when the dead letters are imported", "test")
    accepted += producer.enqueue_many(newer(SUPERSEDED, SUPERSEDED + FOLLOWED)).job_ids
    shown = lanes("replay", "--all", "--yes")
    for location in LOCATIONS:
        store.resume(location)
    stack.start_worker("two")
    for number in range(OTHER_UPSERTS):
        accepted += producer.enqueue_many(newer(DEAD_LETTERS + number, DEAD_LETTERS + number + 1)).job_ids
    until(lambda: all_done(store), "every dead letter and every upsert delivered")

    assert shown.returncode == 1
    assert shown.stderr.splitlines()[-1] == f"replayed {(DEAD_LETTERS - SUPERSEDED) * len(LOCATIONS)} dead letters"
    reported = {line.split(": ")[0]: line for line in shown.stderr.splitlines()[:-1]}
    assert set(reported) == {f"{location}-{number}" for location in LOCATIONS for number in range(SUPERSEDED)}
    delivered = set(accepted)
    assert all(line.split("superseded by ")[1].split(",")[0] in delivered for line in reported.values())

    summary = control.summary()
    assert summary["throttled"] == 0
    assert summary["overlaps"] == []
    assert max(each["max_in_window"] for each in summary["locations"].values()) == 100
    assert summary["requests"] == (DEAD_LETTERS + FOLLOWED + OTHER_UPSERTS) * len(LOCATIONS)
    values = {(each["locationId"], each["contactId"]): each["monetaryValue"] for each in control.records()}
    for location in LOCATIONS:
        for number in range(DEAD_LETTERS + OTHER_UPSERTS):
            only_a_dead_letter = SUPERSEDED + FOLLOWED <= number < DEAD_LETTERS
            assert values[location, f"contact-{number}"] == (OLD if only_a_dead_letter else NEW), number
    left = [job.state for job in store.jobs(sorted(reported)) if job]
    assert left == [State.DEAD] * len(reported)
    assert store.counts()["delivered"] == summary["requests"]
    assert list(check_consistency(store)) == []
