"""A consistency check under full traffic finds nothing, and a repair changes nothing."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.checks.repair import Repairer
from lanes.queue.connecting import connect
from lanes.queue.job import State
from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from tests.lanes.checks.jobs_in_every_state import REPAIR_DEFAULTS, order, read_body

LIMITS = DefaultLimits(burst=10_000, window=1, daily=10_000_000)
LANES = 12
AUDITS = 5


class Traffic:
    """Threads that call the store at random until they are stopped."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.over = threading.Event()
        self.failed: list[Exception] = []
        self.calls = 0
        self.threads: list[threading.Thread] = []

    def join(self) -> None:
        for thread in self.threads:
            thread.join()

    def run(self, work: Callable[[LaneStore, random.Random, int], None], number: int) -> None:
        with ExitStack() as stack:
            store = LaneStore(stack.enter_context(connect(self._url)))
            chance = random.Random(number)
            made = 0
            while not self.over.is_set():
                made += 1
                try:
                    work(store, chance, number * 1_000_000 + made)
                except Exception as error:  # noqa: BLE001 - the test reports it
                    self.failed.append(error)
                    return
                self.calls += 1


def produce(store: LaneStore, chance: random.Random, number: int) -> None:
    record = f"r{chance.randrange(30)}"
    options: dict[str, Any] = {"merge": chance.random() < 0.3, "priority": chance.randrange(3)}
    options["service"] = chance.choice(("busy", None))
    store.enqueue(order(f"j{number}", f"loc{chance.randrange(LANES)}", record, **options), 60)
    if chance.random() < 0.1:
        store.cancel(f"j{number - 1}", 60)


def deliver(store: LaneStore, chance: random.Random, number: int) -> None:
    following = store.release(Consumer(f"w{number // 1_000_000}", 5, 60, LIMITS)).next
    if not isinstance(following, Released):
        return
    report, fate = AttemptReport(following.id, following.attempt, "{}", LIMITS), chance.random()
    if fate < 0.7:
        store.deliver(report, retention=60)
    elif fate < 0.8:
        store.retry(report, delay=0.05)
    elif fate < 0.9:
        store.bury(report, reason="refused")
        if fate < 0.85:
            store.replay(following.id, force=True)
    elif fate < 0.95:
        store.requeue(report, wait=0, sent=False)


@pytest.fixture
def traffic(redis_url: str) -> Iterator[Traffic]:
    traffic = Traffic(redis_url)
    with connect(redis_url) as client:
        store = LaneStore(client)
        for name in ("busy", "quiet"):
            ServiceStore(store).add(Service(name, max_pending=10**6))
        store.enqueue(order("quiet", "later", "a", service="quiet", not_before=store.time() + 3600), 60)
    threads = [threading.Thread(target=traffic.run, args=(produce, number)) for number in (1, 2)]
    threads += [threading.Thread(target=traffic.run, args=(deliver, number)) for number in (3, 4, 5)]
    traffic.threads = threads
    for thread in threads:
        thread.start()
    yield traffic
    traffic.over.set()
    traffic.join()


def test_a_check_finds_nothing(traffic: Traffic, redis_url: str) -> None:
    with connect(redis_url) as client:
        store = LaneStore(client)
        for _ in range(AUDITS):
            before = traffic.calls
            assert [finding for finding in check_consistency(store) if finding.repair] == []
            assert traffic.calls > before
    assert traffic.failed == []


def test_a_lane_created_during_a_check_is_no_finding(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(redis_url) as client:
        store = LaneStore(client)
        store.enqueue(order("one", "loc", "a"), 60)
        run, made = store.run, 0

        def late(name: str, *arguments: Any) -> Any:
            nonlocal made
            if name == "read_all_counts" and made < 1:
                made += 1
                store.enqueue(order("two", "new", "a"), 60)
            return run(name, *arguments)

        monkeypatch.setattr(store, "run", late)
        assert list(check_consistency(store)) == []
        assert made == 1


BREAKS: tuple[tuple[object, ...], ...] = (
    ("zrem", "due", "loc1"),
    ("hincrby", "counts", "pending", 7),
    ("hincrby", "lane:loc2", "in_flight", 3),
    ("sadd", "merged_jobs:nobody", "x"),
    ("srem", "locations", "loc3"),
    ("set", "consumer:nobody", "x:1"),
    ("hset", "lane:loc4", "dead_letters", 1000),
    ("hincrby", "service:quiet", "pending", 7),
)


def test_what_breaks_under_traffic_is_repaired_under_traffic(traffic: Traffic, redis_url: str) -> None:
    with connect(redis_url) as client:
        store = LaneStore(client)
        while store.client.scard(store.key("locations")) <= LANES:
            assert traffic.failed == []
        for command, key, *values in BREAKS:
            client.execute_command(command, f"{store.prefix}{key}", *values)
        repairer = Repairer(store, REPAIR_DEFAULTS, read_body)
        for _ in range(10):
            findings = [finding for finding in check_consistency(store) if finding.repair]
            if not findings:
                break
            for finding in findings:
                repairer.repair(finding)
        traffic.over.set()
        traffic.join()
        assert traffic.failed == []
        assert list(check_consistency(store)) == []
        assert [service.pending for service in ServiceStore(store).list()][1] == 1
        counts = store.counts()
        assert sum(counts[state] for state in State) == counts["accepted"]
        for name in ("pending", "in_flight"):
            ids = [
                key for key in client.scan_iter(f"{store.prefix}job:*") if client.hget(key, "state") == name.encode()
            ]
            assert len(ids) == counts[name]
