"""An outage of the API with two workers, one of which is killed in it, and Redis too; and its notifications."""

import json
from collections.abc import Callable
from typing import Any

from lanes.checks.consistency import check_consistency
from ops.embedded.stack import Stack
from ops.sandbox import SandboxControl
from ops.sandbox.faults import Fault, FaultKind
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until
from tests.worker.notifications.receiver import Receiver

LOCATIONS = [f"loc-{number}" for number in range(20)]
SETTINGS = {
    "outage_probe_seconds": 0.2,
    "outage_probe_max_seconds": 1,
    "lease_seconds": 3,
    "http_timeout_seconds": 2,
    "backoff_max_seconds": 1,
    "max_attempts": 3,
}
WORKER = ("--concurrency", "2")


def events(receiver: Receiver) -> list[str]:
    return [json.loads(received.body)["event"] for received in receiver.received if received.answer == "204"]


def test_an_outage_costs_few_requests_and_no_dead_letter(make_stack: Callable[..., Stack]) -> None:
    with Receiver("503", "cut") as receiver:
        stack = make_stack(
            "--latency", "0.05", **SETTINGS, notify_url=receiver.url, notify_secret="a-secret-of-both-ends"
        )
        store, control = store_of(stack), SandboxControl(stack.sandbox_url)
        ids = producer_of(stack).enqueue_many(row(LOCATIONS[n % 20], f"contact-{n}") for n in range(600)).job_ids
        control.inject(Fault(kind=FaultKind.STATUS, status=503))
        killed = stack.start_worker("killed", *WORKER)
        until(lambda: store.global_state().outage is not None, "the outage was seen")
        before = control.summary()["requests"]
        assert before < 150
        stack.start_worker("other", *WORKER)
        killed.kill()
        stack.children.remove(killed)
        # A probe's worker may have died with it: its lease ends, and the next goes out.
        until(lambda: control.summary()["requests"] >= before + 5, "probes of the other worker")
        stack.redis.kill()
        stack.redis.start()
        until(lambda: control.summary()["requests"] >= before + 8, "probes after Redis came back")
        outage = store.global_state().outage
        assert outage is not None
        assert outage.half_open_limit == 1
        assert store.counts()["delivered"] == 0
        control.clear_faults()
        until(lambda: all_done(store), "every job delivered")
        until(lambda: store.global_state().outage is None, "the end of the outage")
        counts = store.counts()
        assert (counts["delivered"], counts["dead"]) == (600, 0)
        # Only attempts that died with their worker were spent.
        assert sum(job.failures for job in store.jobs(ids) if job) <= counts["reclaimed"]
        assert list(check_consistency(store)) == []
        until(lambda: {"outage_began", "outage_ended"} <= set(events(receiver)), "both notifications")


def test_a_location_that_alone_fails_costs_the_others_nothing(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--latency", "0.05", **SETTINGS)
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    producer = producer_of(stack)
    producer.enqueue_many(row("sick", f"contact-{n}") for n in range(80))
    control.inject(Fault(kind=FaultKind.RESET, location="sick"))
    stack.start_worker("one", *WORKER)
    until(lambda: any(lane.failing for lane in store.lanes()), "the lane that fails is known")
    producer.enqueue_many(row(LOCATIONS[n % 20], f"contact-{n}") for n in range(200))
    until(lambda: store.counts()["delivered"] == 200, "the others delivered")
    assert store.global_state().outage is None
    control.clear_faults()
    until(lambda: all_done(store), "the rest delivered")
    assert (store.counts()["delivered"], store.counts()["dead"]) == (280, 0)


def test_a_worker_killed_between_claiming_and_sending_a_notification_loses_nothing(
    make_stack: Callable[..., Stack],
) -> None:
    with Receiver("hang") as receiver:
        stack = make_stack(notify_url=receiver.url, notify_secret="a-secret-of-both-ends")
        store = store_of(stack)
        killed = stack.start_worker("killed", *WORKER)
        store.hold("loc", "asked the customer", "ada")
        until(lambda: receiver.received, "the notification claimed by the worker")
        producer_of(stack).enqueue(row("other", "contact"))
        until(lambda: store.counts()["delivered"] == 1, "a job delivered while the receiver hangs")
        killed.kill()
        stack.children.remove(killed)
        name = store.key("notifications")
        taken: list[Any] = store.client.zrange(name, 0, -1)
        assert store.claim_notification(1, None) is None
        store.client.zadd(name, {taken[0]: 0})  # half a minute later
        stack.start_worker("other", *WORKER)
        until(lambda: store.client.zcard(name) == 0, "the notification sent")
        assert events(receiver) == ["lane_held"]
        assert len({received.headers["Lanes-Notification-Id"] for received in receiver.received}) == 1
