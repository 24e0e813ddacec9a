"""A worker's metrics are served by its main process alone, and it works with a port that is taken as with its own."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import requests

from lanes.settings import WorkerSettings
from ops.embedded.processes import Child
from ops.embedded.redis_server import free_port
from ops.embedded.stack import Stack
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until
from worker.app import make_app
from worker.steps import MetricsStep


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def has_socket(pid: int, port: int) -> bool:
    """Return whether a process has the socket that listens on a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
    assert sockets, "no listener"
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(descriptor.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return bool(found & sockets)


def get(port: int, path: str = "/metrics/worker") -> requests.Response:
    return requests.get(f"http://127.0.0.1:{port}{path}", timeout=30)


def pools_processes(worker: Child) -> set[int]:
    return {pid for pid in children(worker.pid) if "celery" in Path(f"/proc/{pid}/cmdline").read_text()}


def test_the_main_process_alone_serves_and_a_child_that_is_born_later_has_no_part(
    make_stack: Callable[..., Stack],
) -> None:
    stack = make_stack(metrics_port=(port := free_port()))
    worker = stack.start_worker()
    assert "lanes_worker_slots" in get(port).text
    assert "process_cpu_seconds_total" in get(port).text
    assert has_socket(worker.pid, port)
    before = pools_processes(worker)
    assert len(before) >= 2
    os.kill(min(before), signal.SIGKILL)
    until(lambda: len(pools_processes(worker)) == len(before) and pools_processes(worker) != before, "another child")
    until(lambda: not any(has_socket(pid, port) for pid in pools_processes(worker)), "the child without the socket")
    lost = get(port, "/elsewhere")
    assert (lost.status_code, lost.text) == (404, "Metrics are at /metrics and /metrics/worker.\n")
    assert worker.stop() == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_that_is_taken_is_one_line_and_the_worker_goes_on(make_stack: Callable[..., Stack]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        stack = make_stack(metrics_port=taken.getsockname()[1])
        worker = stack.start_worker("worker", "--pool", "threads", "--concurrency", "4")
        with producer_of(stack) as producer:
            producer.enqueue(row("loc", "contact"))
        until(lambda: all_done(store_of(stack)), "the job done")
        lines = [line for line in worker.output.splitlines() if "metrics" in line and "lanes_" not in line]
        assert len([line for line in lines if "metrics_not_served" in line]) == 1
        assert "LANES_METRICS_PORT" in next(line for line in lines if "metrics_not_served" in line)
        assert "Traceback" not in worker.output


def test_unless_asked_a_worker_serves_nothing() -> None:
    assert MetricsStep not in make_app(WorkerSettings()).steps["worker"]
    assert MetricsStep in make_app(WorkerSettings(metrics_port=9101)).steps["worker"]
