"""A v3 upsert without `id` whose worker is killed with the request out: it is not sent a second time."""

from collections.abc import Callable

import pytest

from lanes.checks.consistency import check_consistency
from ops.embedded.stack import Stack
from ops.sandbox import Fault, SandboxControl
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import until

ROW = {
    "pipelineId": "pipe",
    "locationId": "loc",
    "followers": [],
    "isRemoveAllFollowers": False,
    "followersActionType": "add",
}
SETTINGS = {"api_version": "v3", "lease_seconds": 4, "http_timeout_seconds": 3}


@pytest.mark.parametrize(("repeat", "end", "requests"), [("false", "dead", 1), ("true", "delivered", 2)])
def test_a_worker_killed_with_the_request_out(
    make_stack: Callable[..., Stack], repeat: str, end: str, requests: int
) -> None:
    stack = make_stack(repeat_unnamed=repeat, **SETTINGS)
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    control.inject(Fault(kind="timeout", applied=True, delay_seconds=30, times=1))
    job_id = producer_of(stack).enqueue(ROW).job_id
    worker = stack.start_worker("killed")
    until(lambda: control.summary()["requests"] == 1, "the request")
    worker.kill()
    stack.children.remove(worker)
    stack.start_worker("last")
    until(lambda: all_done(store), "the job delivered or dead")
    job = store.job(job_id)
    assert job is not None
    assert (job.state, job.attempts[0].outcome) == (end, "lost")
    assert job.reason == ("unconfirmed" if end == "dead" else None)
    assert control.summary()["requests"] == requests
    assert list(check_consistency(store)) == []
