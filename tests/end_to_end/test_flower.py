"""Flower shows every job as a task under its own id, with the right state, and nothing of its content."""

import json
from collections.abc import Callable
from typing import Any

import redis
import requests

from ops.embedded.stack import Stack
from ops.sandbox import Fault, SandboxControl
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until

SECRET = "Name-That-Stays-Home"


def tasks_of(stack: Stack) -> dict[str, dict[str, Any]]:
    answer = requests.get(f"{stack.flower_url}/api/tasks", params={"limit": 1000}, timeout=10)
    answer.raise_for_status()
    found: dict[str, dict[str, Any]] = answer.json()
    return found


def open_flower(make_stack: Callable[..., Stack]) -> Stack:
    stack = make_stack("--known-pipeline", "pipe", backoff_max_seconds=0.2)
    stack.settings["FLOWER_UNAUTHENTICATED_API"] = "true"
    stack.start_flower()
    # It answers before it listens, and events are not kept.
    until(store_of(stack).client.pubsub_numpat, "Flower to subscribe to events")
    return stack


def test_states_runtimes_retries_and_failures(make_stack: Callable[..., Stack]) -> None:
    stack = open_flower(make_stack)
    SandboxControl(stack.sandbox_url).inject(Fault(kind="status", status=500, first=2, contact_prefix="flaky"))
    producer = producer_of(stack)
    delivered = producer.enqueue(row("loc-1", "contact", name=SECRET)).job_id
    refused = producer.enqueue(row("loc-2", "contact", name=SECRET, pipelineId="gone")).job_id
    flaky = producer.enqueue(row("loc-3", "flaky", name=SECRET)).job_id
    stack.start_worker()
    until(lambda: all_done(store_of(stack)), "every job done")
    done = {delivered: "SUCCESS", refused: "FAILURE", flaky: "SUCCESS"}
    until(lambda: {job: tasks_of(stack).get(job, {}).get("state") for job in done} == done, "Flower to see them")
    tasks = tasks_of(stack)
    assert {tasks[job]["name"] for job in done} == {"upsert_opportunity"}
    assert tasks[delivered]["runtime"] > 0
    assert tasks[delivered]["args"] == "('loc-1',)"
    assert tasks[delivered]["worker"].startswith("worker@")
    assert "refused: 400" in tasks[refused]["exception"]
    assert tasks[flaky]["retried"]
    assert tasks[flaky]["retries"] == 2

    metrics = requests.get(f"{stack.flower_url}/metrics", timeout=10).text
    for event, count in (("succeeded", 2), ("retried", 2), ("failed", 1), ("received", 3)):
        line = next(x for x in metrics.splitlines() if f'type="task-{event}"' in x and "upsert_opportunity" in x)
        assert float(line.split()[-1]) == count

    page = requests.get(f"{stack.flower_url}/task/{delivered}", timeout=10).text
    assert delivered in page
    for text in (json.dumps(tasks), page, metrics, stack.children[-1].output):
        assert SECRET not in text


def test_merged_jobs_end_with_their_merge_target(make_stack: Callable[..., Stack]) -> None:
    stack = open_flower(make_stack)
    producer = producer_of(stack)
    first, *others = (producer.enqueue(row("loc", "contact", name=name), merge=True).job_id for name in "abc")
    producer.enqueue(row("loc", "contact", status="lost"))
    stack.start_worker()
    until(lambda: all_done(store_of(stack)), "every job done")
    until(lambda: all(tasks_of(stack).get(job, {}).get("state") == "SUCCESS" for job in others), "Flower to see them")
    assert SandboxControl(stack.sandbox_url).summary()["requests"] == 2
    tasks = tasks_of(stack)
    assert all(tasks[job]["result"].endswith(f"merged into {first}") for job in others)
    assert all(tasks[job]["args"] == "('loc',)" for job in others)


def test_a_row_from_the_rest_api_of_flower(make_stack: Callable[..., Stack]) -> None:
    stack = open_flower(make_stack)
    worker = stack.start_worker()
    url = f"{stack.flower_url}/api/task/send-task/producers.enqueue"
    answer = requests.post(url, json={"args": [row("loc-1", "contact", name=SECRET)], "queue": "lanes"}, timeout=10)
    job_id = answer.json()["task-id"]
    store = store_of(stack)
    until(lambda: (job := store.job(job_id)) and job.state.value == "delivered", "the row delivered")
    until(lambda: tasks_of(stack).get(job_id, {}).get("state") == "SUCCESS", "Flower to see it")
    # Of one row, the job stands where the task stood; of several, the task is there itself.
    rows = [row("loc-1", f"contact-{number}", name=SECRET) for number in range(2)]
    task_id = requests.post(url, json={"args": [rows], "queue": "lanes"}, timeout=10).json()["task-id"]
    until(lambda: tasks_of(stack).get(task_id, {}).get("state") == "SUCCESS", "Flower to see the task")
    assert tasks_of(stack)[task_id]["args"] == "(...)"
    # A refused row fails the task; the others of the list are enqueued.
    rows = [row("loc-1", "good"), row("loc-1", "bad", monetaryValue=SECRET)]
    task_id = requests.post(url, json={"args": [rows], "queue": "lanes"}, timeout=10).json()["task-id"]
    until(lambda: tasks_of(stack).get(task_id, {}).get("state") not in (None, "RECEIVED", "STARTED"), "the task to end")
    task = tasks_of(stack)[task_id]
    assert task["state"] == "FAILURE"
    assert f"{task_id}: 1 of 2 rows were refused; the others are enqueued as {task_id}-ROW" in task["exception"]
    assert "row 2: monetaryValue: should be a valid number" in task["exception"]
    assert not task["traceback"]
    until(lambda: (job := store.job(f"{task_id}-1")) and job.state.value == "delivered", "the good row delivered")
    warning = next(line for line in worker.output.splitlines() if "rows_refused" in line)
    assert '"level": "warning"' in warning
    assert task_id in warning
    with redis.Redis.from_url(stack.redis.url) as client:
        until(lambda: not client.exists("lanes:celery:unacked"), "the message acknowledged")
    page = requests.get(f"{stack.flower_url}/task/{task_id}", timeout=10).text
    for text in (json.dumps(tasks_of(stack)), page, worker.output):
        assert SECRET not in text
        assert "Traceback" not in text


def test_flower_sees_jobs_again_after_a_redis_outage(make_stack: Callable[..., Stack]) -> None:
    stack = open_flower(make_stack)
    stack.start_worker()
    producer = producer_of(stack)
    before = producer.enqueue(row("loc-1", "before")).job_id
    until(lambda: tasks_of(stack).get(before, {}).get("state") == "SUCCESS", "Flower to see a job")
    stack.redis.kill()
    stack.redis.start()
    seen: list[str] = []

    def seen_again() -> bool:
        seen.append(producer.enqueue(row("loc-1", f"after-{len(seen)}")).job_id)
        tasks = tasks_of(stack)
        return any(tasks.get(job, {}).get("state") == "SUCCESS" for job in seen)

    until(seen_again, "Flower to see a job again")
