"""A thousand dead letters replayed under traffic."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lanes.audit import audit
from lanes.job import State
from ops.stack import Stack
from tests.end_to_end.conftest import all_done, producer_of, row, store_of, until
from worker.highlevel.sandbox import SandboxControl

LANES = str(Path(sys.executable).with_name("lanes"))
LOCATIONS = [f"loc-{number}" for number in range(10)]
LETTERS = 100
OVERTAKEN = 10  # letters of each location whose record has a newer upsert that is delivered before the replay
FOLLOWED = 20  # those whose record has a newer upsert that waits during the replay
OTHERS = 30  # upserts of each location for records without letters
OLD, NEW = 1, 2


def letter(location: str, number: int) -> dict[str, object]:
    """A row of an export: a letter that died a minute after its acceptance, long ago."""
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


def test_a_thousand_letters_replayed_under_traffic(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    stack = make_stack("--latency", "0.05-0.15")
    store, control, producer = store_of(stack), SandboxControl(stack.sandbox_url), producer_of(stack)

    def lanes(*arguments: str) -> "subprocess.CompletedProcess[str]":
        environ = {**os.environ, **stack.environ, "LANES_REDIS_URL": stack.redis.url}
        return subprocess.run([LANES, "dead", *arguments], capture_output=True, text=True, env=environ, check=False)

    file = tmp_path / "letters.jsonl"
    rows = [letter(location, number) for number in range(LETTERS) for location in LOCATIONS]
    file.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    assert lanes("import", str(file)).stderr == "imported 1000 dead letters of 1000 rows\n"

    def newer(first: int, last: int) -> list[dict[str, object]]:
        return [
            row(location, f"contact-{number}", monetaryValue=NEW)
            for number in range(first, last)
            for location in LOCATIONS
        ]

    accepted = producer.enqueue_many(newer(0, OVERTAKEN)).job_ids
    stack.start_worker("one")
    until(lambda: all_done(store), "the first newer upserts delivered")
    for location in LOCATIONS:
        store.hold(location, "so that they wait when the letters come", "test")
    accepted += producer.enqueue_many(newer(OVERTAKEN, OVERTAKEN + FOLLOWED)).job_ids
    shown = lanes("replay", "--all", "--yes")
    for location in LOCATIONS:
        store.resume(location)
    stack.start_worker("two")
    for number in range(OTHERS):
        accepted += producer.enqueue_many(newer(LETTERS + number, LETTERS + number + 1)).job_ids
    until(lambda: all_done(store), "every letter and every upsert delivered")

    assert shown.returncode == 1
    assert shown.stderr.splitlines()[-1] == f"replayed {(LETTERS - OVERTAKEN) * len(LOCATIONS)} dead letters"
    told = {line.split(": ")[0]: line for line in shown.stderr.splitlines()[:-1]}
    assert set(told) == {f"{location}-{number}" for location in LOCATIONS for number in range(OVERTAKEN)}
    delivered = set(accepted)
    assert all(line.split("overtaken by ")[1].split(",")[0] in delivered for line in told.values())

    account = control.account()
    assert account["throttled"] == 0
    assert account["overlaps"] == []
    assert max(each["most_in_window"] for each in account["locations"].values()) == 100
    assert account["requests"] == (LETTERS + FOLLOWED + OTHERS) * len(LOCATIONS)
    values = {(each["locationId"], each["contactId"]): each["monetaryValue"] for each in control.records()}
    for location in LOCATIONS:
        for number in range(LETTERS + OTHERS):
            only_a_letter = OVERTAKEN + FOLLOWED <= number < LETTERS
            assert values[location, f"contact-{number}"] == (OLD if only_a_letter else NEW), number
    left = [job.state for job in store.jobs(sorted(told)) if job]
    assert left == [State.DEAD] * len(told)
    assert store.counts()["delivered"] == account["requests"]
    assert list(audit(store)) == []
