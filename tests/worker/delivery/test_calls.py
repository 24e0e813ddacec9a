"""How much a sender does for one upsert, counted in calls of functions: the same on every machine."""

import logging
import sys
from collections import Counter
from typing import Any

import pytest
import structlog

from lanes.queue.job import State
from ops.sandbox import Sandbox
from tests.worker.delivery.sender import Worker, worker_of
from worker.delivery import reporter

JOBS = 20
MAX_CALLS = 700  # 1200 with urllib3, the headers of `email`, and the pool of redis-py


def bodies(first: int, count: int) -> list[dict[str, Any]]:
    return [{"pipelineId": "p", "locationId": "loc", "contactId": f"c{first + number}"} for number in range(count)]


def count_calls(worker: Worker) -> Counter[str]:
    """Send what is due, and return how often each function was called, of Python or C."""
    calls: Counter[str] = Counter()

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            calls[f"{frame.f_code.co_filename}:{frame.f_code.co_name}"] += 1
        elif event == "c_call":
            calls[argument.__name__] += 1

    sys.setprofile(note)
    try:
        worker.work()
    finally:
        sys.setprofile(None)
    return calls


def test_an_upsert_takes_few_calls(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    monkeypatch.setattr(reporter, "log", quiet)  # as in a worker
    with Sandbox() as sandbox, worker_of(redis_url, sandbox.url) as worker:
        worker.deliver(*bodies(0, 2))  # connects, imports, fills caches
        ids = worker.producer.enqueue_many(bodies(2, JOBS)).job_ids
        calls = count_calls(worker)
        assert {worker.producer.status(job_id).state for job_id in ids} == {State.DELIVERED}
    assert calls.total() / JOBS <= MAX_CALLS, calls.most_common(10)
