"""What a worker reports of itself, what bounds it, and what `lanes check` makes of that."""

import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from lanes.checks.server import ServerInfo
from lanes.checks.worker_needs import WorkerNeeds
from lanes.checks.worker_reports import LIVE_SECONDS, WorkerReport, live_reports, write_report
from lanes.checks.workers import check_workers
from lanes.queue.connecting import SHARED_CONNECTIONS, connect_shared
from lanes.queue.store import LaneStore
from tests.lanes.conftest import ClockedStore
from tests.worker.delivery.sender import worker_of
from worker.delivery.sender_gauges import ProcessGauges, SenderGauges
from worker.delivery.worker_load import WorkerLoad, what_bounds
from worker.safety import machine_limits

NEEDS = WorkerNeeds(3, 256)
REPORT = WorkerReport(12, 7, 512, 1.5, "cpu", 268, ["pids.max is 10"])
FULL_PROCESS = {"threads": 256, "busy": 256}


def gauges_of(*processes: dict[str, float]) -> list[ProcessGauges]:
    gauges = SenderGauges()
    for index, values in enumerate(processes):
        gauges.of_process(index).set(**values)
    return gauges.used


@pytest.mark.parametrize(
    ("processes", "cpu", "bound"),
    [
        ([], 0.0, "nothing"),
        ([FULL_PROCESS], 1.0, "nothing"),  # the other process is free
        ([FULL_PROCESS, {"threads": 256, "busy": 255}], 1.9, "nothing"),
        ([FULL_PROCESS, {**FULL_PROCESS, "waiting": 1}], 1.9, "nothing"),
        ([FULL_PROCESS, {"threads": 40, "busy": 40}], 0.4, "nothing"),  # it grows
        ([FULL_PROCESS, FULL_PROCESS], 0.4, "senders"),
        ([FULL_PROCESS, FULL_PROCESS], 1.8, "cpu"),
        ([FULL_PROCESS, {"threads": 40, "busy": 40, "starved": 1}], 1.0, "cpu"),
    ],
)
def test_what_bounds_a_worker(processes: list[dict[str, float]], cpu: float, bound: str) -> None:
    assert what_bounds(gauges_of(*processes), 2, 256, cpu) == bound


def test_a_report_is_read_while_its_worker_lives(redis_url: str) -> None:
    store = ClockedStore(redis_url)
    write_report(store, "one@host", REPORT)
    store.client.hset(store.key("workers"), mapping={"bad": "[]", "worse": b"\xff", "half": '{"at": 1, "cpu": []}'})
    assert live_reports(store) == {"one@host": REPORT}
    store.client.hset(store.key("workers"), "gone", f'{{"at": {store.time() - LIVE_SECONDS - 1}}}')
    write_report(store, "two@host", REPORT)
    assert sorted(store.client.hkeys(store.key("workers"))) == [b"one@host", b"two@host"]
    store.close()


def test_a_worker_measures_itself(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.delivery.worker_load.shortages", lambda _: [])
    with worker_of(redis_url, "http://127.0.0.1:1", shift_threads=8) as worker:
        pool = type("TaskPool", (), {"__module__": "celery.concurrency.prefork", "num_processes": 3})()
        load = WorkerLoad(pool, worker.context, lambda: 2)
        worker.context.all_gauges.of_process(1).set(threads=5, busy=3, cpu_seconds=0.1)
        load.step()
        report = live_reports(worker.store)["w"]
        assert report == load.report
        assert (report.threads, report.busy, report.max_threads, report.bound_by) == (5, 3, 16, "nothing")
        assert report.cpu > 0
        assert report.redis_connections == WorkerNeeds(3, 8).redis_connections
        threads = WorkerLoad(SimpleNamespace(num_processes=5), worker.context, lambda: 4).report
        assert (threads.threads, threads.busy, threads.max_threads, threads.bound_by) == (4, 4, 4, "senders")


def test_check_names_what_is_too_small() -> None:
    reports = {"one@host": REPORT}
    found = {finding.code: finding for finding in check_workers(ServerInfo({"maxclients": 300}, None, 0), reports)}
    assert found.keys() == {"maxclients", "worker-limit"}
    assert "368" in found["maxclients"].text
    assert found["worker-limit"].where == "one@host"
    assert list(check_workers(ServerInfo({"maxclients": 10_000}, None, 0), {})) == []
    assert list(check_workers(ServerInfo(None, None, 0), {})) == []


def test_the_limits_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "own").write_text("0::/a/b\n")
    (tmp_path / "a/b/pids.max").write_text("max\n")
    (tmp_path / "a/pids.max").write_text(f"{NEEDS.tasks - 1}\n")
    (tmp_path / "a/b/memory.max").write_text(f"{NEEDS.memory - 1}\n")
    monkeypatch.setattr(machine_limits, "CGROUPS", tmp_path)
    monkeypatch.setattr(machine_limits, "OWN_CGROUP", tmp_path / "own")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (NEEDS.descriptors - 1, 4096))
    assert [line.split(" ")[0] for line in machine_limits.shortages(NEEDS)] == [
        "RLIMIT_NOFILE",
        "pids.max",
        "memory.max",
    ]
    (tmp_path / "own").unlink()
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, 4096))
    assert machine_limits.shortages(NEEDS) == []


def test_the_threads_of_a_process_share_connections(redis_url: str) -> None:
    store = LaneStore(connect_shared(f"{redis_url}?client_name=sharing"))
    with ThreadPoolExecutor(2 * SHARED_CONNECTIONS) as threads:
        list(threads.map(lambda _: store.client.blpop(["never"], timeout=0.05), range(2 * SHARED_CONNECTIONS)))
    names = [each["name"] for each in store.client.client_list()]
    assert 1 < names.count("sharing") <= SHARED_CONNECTIONS
    store.close()
