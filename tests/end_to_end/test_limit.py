"""The limit, as the server counts it."""

from collections.abc import Callable

from ops.stack import Stack
from tests.end_to_end.conftest import all_done, producer_of, row, store_of, until
from worker.highlevel.sandbox import SandboxControl


def test_two_workers_on_a_hot_location_send_at_most_100_in_any_10_seconds(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--latency", "0.05-0.25")
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    ids = producer_of(stack).enqueue_many(row("hot", f"contact-{number}") for number in range(250)).job_ids
    stack.start_worker("one")
    stack.start_worker("two")
    until(lambda: all_done(store), "every job delivered")
    account = control.account()
    assert account["requests"] == 250
    assert account["throttled"] == 0
    assert account["locations"]["hot"]["most_in_window"] == 100
    workers = {job.attempts[0].detail["worker"].split("@")[0] for job in store.jobs(ids) if job}
    assert workers == {"one", "two"}
