"""Dead letters with a chosen answer, and commands on them."""

from collections.abc import Callable
from typing import Any

from lanes.queue.store import LaneStore

Bury = Callable[..., str]


def pipeline(number: int) -> dict[str, Any]:
    return {"status": 422, "message": "The pipeline id is invalid.", "code": "BAD_PIPELINE", "trace_id": f"t{number}"}


def body_of(store: LaneStore, job_id: str) -> dict[str, Any]:
    job = store.job(job_id)
    assert job is not None
    assert job.body is not None
    return job.body


def state(store: LaneStore, job_id: str) -> str:
    job = store.job(job_id)
    assert job is not None
    return job.state.value


def expire(store: LaneStore, enqueue: Callable[..., str], location: str = "late") -> str:
    job_id = enqueue(location, "late", _options={"expires_at": "2020-01-01T00:00:00Z"})
    assert store.expire(10) == [job_id]
    return job_id
