"""One read serves many scrapes; while Redis is away, frozen or closed, a scrape gets a short answer."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from prometheus_client import CollectorRegistry, generate_latest

from lanes.queue.connecting import connect
from lanes.queue.new_job import NewJob
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from ops.embedded.redis_server import RedisServer
from tests.worker.metrics.conftest import TIMEOUT, values
from worker.metrics import collector as module
from worker.metrics import register
from worker.metrics.catalogue import CELL_METRICS
from worker.metrics.collector import LanesCollector
from worker.metrics.snapshot import MetricsSnapshot, take_snapshot

AWAY = {"lanes_redis_up", "lanes_scrape_success", "lanes_scrape_seconds", "lanes_scrape_age_seconds"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that a test may kill."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def own_store(server: RedisServer) -> Iterator[LaneStore]:
    store = LaneStore(connect(server.url))
    yield store
    store.close()


def fill(store: LaneStore, lanes: int) -> None:
    orders = [NewJob(f"job{number}", f"location{number:05}", "pipe/contact", b"{}") for number in range(lanes)]
    for start in range(0, lanes, 1000):
        store.enqueue_many(orders[start : start + 1000], 60)


def nothing_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH_SECONDS", 0)
    monkeypatch.setattr(module, "FRESH_FACTOR", 0)


def calls(store: LaneStore, command: str) -> int:
    return int(store.client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])


def see(collector: LanesCollector) -> dict[str, float]:
    return values(collector.collect())


def test_a_redis_outage_is_reported_and_nothing_else(
    server: RedisServer, own_store: LaneStore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    nothing_is_fresh(monkeypatch)
    collector = LanesCollector(own_store, WorkerSettings(), TIMEOUT)
    assert (see(collector)["lanes_redis_up"], see(collector)["lanes_scrape_success"]) == (1, 1)
    server.kill()
    found = see(collector)
    assert found.keys() == AWAY
    assert (found["lanes_redis_up"], found["lanes_scrape_success"]) == (0, 0)
    assert "Traceback" not in "".join(capfd.readouterr())
    server.start()
    assert see(collector)["lanes_redis_up"] == 1


def test_a_frozen_redis_blocks_no_scrape(
    server: RedisServer, own_store: LaneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_is_fresh(monkeypatch)
    collector = LanesCollector(own_store, WorkerSettings(), TIMEOUT)
    assert see(collector)["lanes_redis_up"] == 1
    collector.wait = 0.01
    assert server._child is not None
    os.kill(server._child.pid, signal.SIGSTOP)
    try:
        assert see(collector)["lanes_redis_up"] == 1  # what was seen last
        assert collector._scraping
        monkeypatch.setattr(module, "STALE_SECONDS", 0)  # ... which misleads after a while
        assert see(collector).keys() == AWAY
        assert see(collector)["lanes_redis_up"] == 0
    finally:
        os.kill(server._child.pid, signal.SIGCONT)
    monkeypatch.undo()
    collector.refresh(TIMEOUT)
    assert see(collector)["lanes_scrape_success"] == 1


def test_before_the_first_read_has_ended_nothing_is_reported(server: RedisServer, own_store: LaneStore) -> None:
    assert server._child is not None
    os.kill(server._child.pid, signal.SIGSTOP)
    try:
        registry = CollectorRegistry()
        collector = register(
            own_store, WorkerSettings(), registry, 0.01
        )  # and asks nothing in order to describe itself
        assert values(registry.collect()) == {"lanes_scrape_success": 0}
    finally:
        os.kill(server._child.pid, signal.SIGCONT)
    collector.refresh(TIMEOUT)


def test_it_is_registered_once(own_store: LaneStore) -> None:
    registry = CollectorRegistry()
    collector = register(own_store, WorkerSettings(), registry)
    with pytest.raises(ValueError, match="Duplicated"):
        register(own_store, WorkerSettings(), registry)
    registry.unregister(collector)
    register(own_store, WorkerSettings(), registry)


def test_concurrent_scrapes_share_one_read(own_store: LaneStore) -> None:
    fill(own_store, 200)
    collector = LanesCollector(own_store, WorkerSettings(), TIMEOUT)
    before = calls(own_store, "smembers")
    askers = [threading.Thread(target=see, args=(collector,)) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert see(collector)["lanes_locations"] == 200
    assert calls(own_store, "smembers") - before == 2  # of locations, and of services


def test_ten_thousand_lanes_cost_few_commands_and_no_more_text(own_store: LaneStore) -> None:
    def scrape() -> tuple[int, int]:
        before = sum(calls(own_store, name) for name in ("evalsha", "eval"))
        registry = CollectorRegistry()
        register(own_store, WorkerSettings(), registry, TIMEOUT).refresh(TIMEOUT)
        text = generate_latest(registry)
        return sum(calls(own_store, name) for name in ("evalsha", "eval")) - before, len(text)

    fill(own_store, 100)
    few = scrape()
    fill(own_store, 10_000)
    many = scrape()
    assert many[0] <= few[0] + 100
    assert many[1] <= 1.05 * few[1]


def test_a_slow_read_is_cached_for_longer_unless_it_failed(own_store: LaneStore) -> None:
    snapshot = take_snapshot(own_store, WorkerSettings())

    def fresh_for(seconds: float, snapshot: MetricsSnapshot | None = snapshot) -> float:
        return module.ScrapeResult(snapshot, up=True, ended_at=0, seconds=seconds).fresh_until

    assert [fresh_for(seconds) for seconds in (0.01, 1, 1000)] == [5, 20, 30]
    assert fresh_for(1000, None) == 5


def test_a_thread_that_cannot_start_does_not_prevent_the_next_read(
    own_store: LaneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = LanesCollector(own_store, WorkerSettings(), TIMEOUT)

    def refuse(_: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            collector.refresh(TIMEOUT)
    assert see(collector)["lanes_scrape_success"] == 1


def test_a_user_without_permission_for_info(redis_url: str) -> None:
    with connect(redis_url) as admin, connect(redis_url, username="watcher", password="x") as client:
        admin.execute_command("ACL SETUSER watcher on >x ~* &* +@all -info")
        try:
            found = see(LanesCollector(LaneStore(client), WorkerSettings(), TIMEOUT))
        finally:
            admin.execute_command("ACL DELUSER watcher")
    assert (found["lanes_scrape_success"], found["lanes_redis_up"], found["lanes_jobs{state=pending}"]) == (1, 1, 0)
    assert "lanes_redis_aof_enabled" not in found


def test_a_failing_script_is_not_a_redis_outage(redis_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    with connect(redis_url) as client:
        store = LaneStore(client)
        client.set(store.key("counts"), "no hash")
        found = see(LanesCollector(store, WorkerSettings(), TIMEOUT))
    assert found.keys() == AWAY
    assert (found["lanes_redis_up"], found["lanes_scrape_success"]) == (1, 0)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_describe_names_all_metrics_without_values(own_store: LaneStore, server: RedisServer) -> None:
    server.kill()
    spec = list(LanesCollector(own_store, WorkerSettings()).describe())
    assert [metric.name for metric in spec] == [metric.name.removesuffix("_total") for metric in CELL_METRICS]
    assert not any(metric.samples for metric in spec)
    with redis.Redis.from_url(server.url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
