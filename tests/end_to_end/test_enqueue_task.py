"""`producers.enqueue`: for Celery clients that do not have this package."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import redis

from ops.embedded.stack import Stack
from tests.documentation.pages import blocks
from tests.end_to_end.conftest import store_of
from tests.helpers import row, until

[EXAMPLE] = [example for example in blocks("docs/enqueue.md", "python") if "import Celery" in example]
CLIENT = "import sys\nrow = %r\nfor task_id in sys.argv[2:]:\n" + indent(
    EXAMPLE.replace('"redis://..."', "sys.argv[1]"), "    "
)


def send(folder: Path, stack: Stack, rows: object, *task_ids: str) -> None:
    """Send with the client of the documentation, in a process that cannot import this package."""
    script = folder / "client.py"
    script.write_text(CLIENT % (rows,), encoding="utf-8")
    subprocess.run([sys.executable, "-I", str(script), stack.redis.url, *task_ids], check=True, cwd=folder)


def test_one_row_becomes_a_job_with_the_id_of_the_task(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    stack = make_stack()
    worker = stack.start_worker()
    send(tmp_path, stack, row("loc", "contact", name="Secret-Name"), "task-1")
    store = store_of(stack)
    until(lambda: (job := store.job("task-1")) and job.state.value == "delivered", "the row delivered")
    assert "Secret-Name" not in worker.output


def test_a_message_that_comes_twice_makes_no_second_job(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    stack = make_stack()
    send(
        tmp_path, stack, [row("loc", "a"), row("loc", "b"), row("loc", "c", status="opened")], "twice", "twice", "last"
    )
    stack.start_worker()
    store = store_of(stack)
    until(lambda: store.counts()["delivered"] == 4, "two jobs of each task delivered")
    assert store.counts()["accepted"] == 4
    ids = ["twice-1", "twice-2", "last-1", "last-2"]
    assert [job.state.value for job in store.jobs(ids) if job] == ["delivered"] * 4


def let_the_visibility_timeout_pass(stack: Stack) -> set[str]:
    """Make the unacknowledged tasks of the killed worker a minute older; return their ids."""
    with redis.Redis.from_url(stack.redis.url) as client:
        in_hand = client.hgetall("lanes:celery:unacked")
        client.zadd("lanes:celery:unacked_index", dict.fromkeys(in_hand, time.time() - 61))
        ids = {json.loads(message)[0]["headers"]["id"] for message in in_hand.values()}
        return {task_id for task_id in ids if task_id.startswith("task-")}


def test_a_worker_killed_with_unacknowledged_messages_loses_none_of_them(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """Only the messages that Celery recorded as unacknowledged; the README describes the gap in Celery's fetching."""
    stack = make_stack()
    rows = [row("loc", f"contact-{number}") for number in range(400)]
    first = stack.start_worker("first")
    send(tmp_path, stack, rows, *(f"task-{number}" for number in range(40)))
    store = store_of(stack)
    until(lambda: store.counts()["accepted"] > 0, "the first rows accepted")
    first.kill()
    stack.children.remove(first)
    in_hand = let_the_visibility_timeout_pass(stack)
    assert in_hand
    stack.start_worker("second")
    ids = [f"{task_id}-{number}" for task_id in in_hand for number in range(1, 401)]
    until(lambda: None not in store.jobs(ids), "every row of the unacknowledged messages accepted")
