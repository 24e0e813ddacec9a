"""Two versions of the API side by side: every job is sent with the one that it was checked for."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Celery

from lanes.dead_letters.operations import read_ids, until_now
from lanes.queue.store import LaneStore
from lanes.settings import ProducerSettings
from ops.embedded.stack import Stack
from ops.sandbox import SandboxControl
from producers import OpportunityProducer
from tests.end_to_end.conftest import all_done, store_of
from tests.helpers import row, until


def v3_row(location: str, opportunity_id: str | None, **fields: object) -> dict[str, Any]:
    named = {} if opportunity_id is None else {"id": opportunity_id}
    return {
        **named,
        "pipelineId": "pipe",
        "locationId": location,
        "followers": [],
        "isRemoveAllFollowers": False,
        "followersActionType": "add",
        **fields,
    }


def lanes(stack: Stack, *arguments: str, stdin: bytes = b"", **more: str) -> "subprocess.CompletedProcess[bytes]":
    command = [str(Path(sys.executable).with_name("lanes")), *arguments]
    return subprocess.run(
        command,
        input=stdin,
        env={**stack.environ, **more},
        cwd=stack.folder,
        capture_output=True,
        check=False,
        timeout=60,
    )


def dead_of(store: LaneStore) -> list[str]:
    return [job_id for batch in read_ids(store, until_now(store)) for job_id in batch]


def test_a_change_of_the_setting_changes_no_waiting_job(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    url = stack.redis.url
    with OpportunityProducer.from_settings(ProducerSettings(redis_url=url, api_versions={"new": "v3"})) as producer:
        waiting = [producer.enqueue(v3_row("new", "opp", name=str(number))).job_id for number in range(3)]
        waiting.append(producer.enqueue(row("old", "contact")).job_id)
    # From here on, producers and workers have it the other way round.
    stack.settings["LANES_API_VERSIONS"] = "old=v3"
    stack.start_worker()
    with OpportunityProducer.from_settings(stack.load_settings()) as producer:
        after = [producer.enqueue(v3_row("old", None)).job_id, producer.enqueue(row("new", "contact")).job_id]
        jobs = [producer.wait(job_id, 60) for job_id in (*waiting, *after)]
    assert [(job.state, job.version) for job in jobs] == [
        *[("delivered", "v3")] * 3,
        *[("delivered", version) for version in ("2021-07-28", "v3", "2021-07-28")],
    ]
    assert [job.new for job in jobs] == [True, False, False, True, True, True]
    assert {job.opportunity_id for job in jobs[:3]} == {"opp"}
    control = SandboxControl(stack.sandbox_url)
    seen = [(one["location_id"], one["version"], one["status"]) for one in control.requests()]
    assert sorted(seen) == sorted(
        [
            *[("new", "v3", 201), ("new", "v3", 200), ("new", "v3", 200), ("new", "2021-07-28", 201)],
            *[("old", "2021-07-28", 201), ("old", "v3", 201)],
        ]
    )
    assert [one["body"]["name"] for one in control.requests() if one["opportunity_id"] == "opp"] == ["0", "1", "2"]
    assert control.summary()["overlaps"] == []


def test_files_messages_and_dead_letters_of_either_version(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--known-pipeline", "pipe", api_version="v3", api_versions="old=2021-07-28")
    stack.start_worker()
    rows = [v3_row("new", "opp-1"), row("old", "c1"), row("new", "c2"), v3_row("new", "opp-3", pipelineId="gone")]
    done = lanes(stack, "enqueue", "-", "--json", "--ids", stdin="\n".join(map(json.dumps, rows)).encode())
    reported = json.loads(done.stdout)
    assert (done.returncode, reported["accepted"], [refused["row"] for refused in reported["refused"]]) == (1, 3, [3])
    assert {"field": "contactId", "value": "", "message": "no such field in API version v3; 2021-07-28 has it: "
            "see LANES_API_VERSION"} in reported["refused"][0]["problems"]  # fmt: skip
    client = Celery(broker=stack.redis.url)
    client.conf.broker_transport_options = {"global_keyprefix": "lanes:celery:"}
    sent = [v3_row("new", "opp-4"), row("old", "c4")]
    client.send_task("producers.enqueue", args=[sent], queue="lanes", task_id="task")
    client.close()
    store = store_of(stack)
    until(lambda: store.counts()["accepted"] == 5 and all_done(store), "everything done")
    assert [job and (job.state, job.version) for job in store.jobs(["task-1", "task-2"])] == [
        ("delivered", "v3"),
        ("delivered", "2021-07-28"),
    ]
    [dead_id] = dead_of(store)
    shown = json.loads(lanes(stack, "dead", "show", dead_id, "--json").stdout)
    assert (shown["api_version"], shown["attempts"][0]["message"]) == ("v3", "The pipeline id is invalid.")
    # A dead letter goes out again as what it was, and as a row wherever its version is spoken.
    exported = lanes(stack, "dead", "export", "-", "--rows").stdout
    assert lanes(stack, "enqueue", "-", "--dry-run", stdin=exported).returncode == 0
    elsewhere = lanes(stack, "enqueue", "-", "--dry-run", stdin=exported, LANES_API_VERSION="2021-07-28")
    assert elsewhere.returncode == 1
    assert b"followers: no such field in API version 2021-07-28; v3 has it" in elsewhere.stderr
    assert lanes(stack, "dead", "replay", dead_id, "--yes", LANES_API_VERSION="2021-07-28").returncode == 0
    until(lambda: dead_of(store) == [dead_id] and len(store.jobs([dead_id])[0].attempts) == 2, "dead again")  # type: ignore[union-attr]
    assert [one["version"] for one in SandboxControl(stack.sandbox_url).requests() if one["status"] == 400] == [
        "v3"
    ] * 2
