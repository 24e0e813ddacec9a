"""What a real worker writes: one line an outcome, nothing that others put into it, and little while nothing changes."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

from celery import Celery

from lanes.activity import audit_log
from ops.embedded.processes import Child
from ops.embedded.stack import Stack
from ops.sandbox import Fault, SandboxControl
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until

EVIL = 'x\n{"event": "job_delivered"}\x1b[2J'


def lines_of(worker: Child) -> list[dict[str, Any]]:
    """Return every line of standard error; Celery's messages to people are on standard output."""
    lines = worker.output.splitlines()
    return [json.loads(line) for line in lines if line and not line.startswith("worker: ")]


def test_each_outcome_is_one_line_and_nothing_else_is_logged(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(backoff_max_seconds=0.2, burst_window_seconds=1, log_level="debug")
    control = SandboxControl(stack.sandbox_url)
    control.inject(Fault(kind="status", status=400, message=EVIL, contact_prefix="refused"))
    control.inject(Fault(kind="status", status=500, message=EVIL, first=1, contact_prefix="flaky"))
    control.inject(Fault(kind="status", status=429, first=1, contact_prefix="throttled", location="slow"))
    producer = producer_of(stack)
    places = {"plain": "loc", "refused": "loc", "flaky": "loc", "throttled": "slow"}
    ids = {contact: producer.enqueue(row(place, contact, name=EVIL)).job_id for contact, place in places.items()}
    store = store_of(stack)
    audit_log.append(store, "grace", "hold", "loc", EVIL, user="ada@host")
    worker = stack.start_worker()
    with closing(Celery(broker=stack.redis.url)) as client:
        client.conf.broker_transport_options = {"global_keyprefix": "lanes:celery:"}
        client.send_task("producers.enqueue", args=[row("loc", "c")], queue="lanes", task_id=f"task {EVIL}")
    until(lambda: "producers.enqueue" in worker.output, "the row of a stranger taken in or refused")
    until(lambda: all_done(store), "every job done")
    assert worker.stop() == 0
    lines = lines_of(worker)
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    assert all(str(line["event"]).isprintable() for line in lines)

    def outcomes(contact: str) -> list[tuple[str, int, int | None]]:
        mine = [line for line in lines if line.get("job") == ids[contact]]
        assert all(line["location"] == places[contact] for line in mine)
        assert all(line["milliseconds"] >= 0 and line["trace_id"] for line in mine)
        return [(line["event"], line["attempt"], line["status"]) for line in mine]

    assert outcomes("plain") == [("job_delivered", 1, 201)]
    assert outcomes("refused") == [("job_buried", 1, 400)]
    assert outcomes("flaky") == [("job_retried", 1, 500), ("job_delivered", 2, 201)]
    assert outcomes("throttled") == [("job_throttled", 1, 429), ("job_delivered", 2, 201)]
    assert ("celery.apps.worker", "info") in {(line.get("logger"), line["level"]) for line in lines}  # --loglevel info
    [entry] = [line for line in lines if line["event"] == "audit_log"]
    assert (entry["who"], entry["user"], entry["what"], entry["on"]) == ("grace", "ada@host", "hold", "loc")
    assert entry["detail"].isprintable()
    assert {"worker_ready", "worker_stopping"} <= {line["event"] for line in lines}


class CuttableListener:
    """Listens on the port of the stopped Redis, counts connections, and closes each."""

    def __init__(self, port: int) -> None:
        self.knocks = 0
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self._socket.listen(128)
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.knocks += 1

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()


def test_a_redis_outage_is_a_few_lines_however_many_retries(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack("--latency", "0.2")
    producer = producer_of(stack)
    producer.enqueue_many([row(f"loc-{number % 9}", f"contact-{number}") for number in range(300)])
    worker = stack.start_worker()
    store = store_of(stack)
    until(lambda: store.counts()["delivered"] > 20, "the worker in the midst of its work")
    before = len(lines_of(worker))
    stack.redis.kill()
    listener = CuttableListener(stack.redis.port)
    until(lambda: listener.knocks >= 60, "many to try")
    listener.close()
    stack.redis.start()
    until(lambda: all_done(store), "every job delivered")
    until(lambda: "redis_available" in worker.output, "the worker to say so")
    said = Counter(line["event"].split(":")[0] for line in lines_of(worker)[before:] if line["level"] != "info")
    assert said.pop("redis_unavailable") == said.pop("redis_available") == 1
    assert said.pop("job_reclaimed", 0) >= 0
    assert sum(said.values()) <= 5, said


def test_redis_is_reported_back_only_when_it_was_reached(make_stack: Callable[..., Stack]) -> None:
    """While sender threads that cannot report fill its only slot, the dispatcher sends few commands to Redis."""
    stack = make_stack("--latency", "0.2")
    producer = producer_of(stack)
    producer.enqueue_many([row(f"loc-{number % 9}", f"contact-{number}") for number in range(300)])
    worker = stack.start_worker("worker", "--concurrency=2")
    store = store_of(stack)
    until(lambda: store.counts()["delivered"] > 20, "the worker in the midst of its work")
    stack.redis.kill()
    until(lambda: "redis_unavailable" in worker.output, "the worker to log it")
    listener = CuttableListener(stack.redis.port)
    until(lambda: listener.knocks >= 60, "many to try")
    assert "redis_available" not in worker.output
    listener.close()
    stack.redis.start()
    until(lambda: "redis_available" in worker.output, "the worker to say so")


def test_the_dashboard_writes_as_a_worker_does(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    for start in (stack.start_dashboard, stack.start_flower):
        part = start()
        until(lambda: "Connected to" in part.output, "Flower to listen to events")  # noqa: B023 - at once
        lines = [line for line in part.output.splitlines() if not line.startswith("No authentication")]
        events = [json.loads(line) for line in lines]
        assert len([event for event in events if event["event"].startswith("Visit me")]) == 1
        assert part.stop() == 0


def test_what_flower_asks_a_new_worker_is_no_error(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    worker = stack.start_worker()
    with closing(Celery(broker=stack.redis.url)) as client:
        client.conf.broker_transport_options = {"global_keyprefix": "lanes:celery:"}
        client.control.enable_events()
        assert len(client.control.ping(timeout=10, limit=1)) == 1
    assert worker.stop() == 0
    assert [line for line in lines_of(worker) if line["level"] == "error"] == []
