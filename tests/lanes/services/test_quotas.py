"""Quotas of services: what enqueue refuses, and the counters that move with the jobs."""

from collections.abc import Callable

import pytest

from lanes.errors import OverQuotaError
from lanes.queue.new_job import EnqueueResult, NewJob
from lanes.queue.results import Released
from lanes.queue.transitions import RetryPolicy
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from tests.lanes.checks.jobs_in_every_state import release_one, report
from tests.lanes.conftest import ClockedStore, Orders

Answer = EnqueueResult | Exception


@pytest.fixture
def services(store: ClockedStore) -> ServiceStore:
    return ServiceStore(store)


def orders(count: int, order: Orders, service: str | None = "crm", **options: object) -> list[NewJob]:
    return [order(record=f"pipe/{order.made}", service=service, **options) for _ in range(count)]


def refused(answers: list[Answer]) -> list[str]:
    """Return the quota of each refused row, '' for an accepted one."""
    assert all(isinstance(answer, EnqueueResult | OverQuotaError) for answer in answers), answers
    return [answer.quota if isinstance(answer, OverQuotaError) else "" for answer in answers]


def counters(services: ServiceStore, name: str = "crm") -> tuple[int, int]:
    service = services.get(name)
    assert service is not None
    return service.pending, service.dead


def release(store: ClockedStore) -> Released:
    job = release_one(store, f"w{store.now}")
    assert job is not None
    store.pass_time(0.001)
    return job


def deliver(store: ClockedStore) -> None:
    assert store.deliver(report(release(store)), retention=60).code == "delivered"


def bury(store: ClockedStore) -> Released:
    job = release(store)
    assert store.bury(report(job), reason="refused").code == "buried"
    return job


def test_rows_over_max_pending_are_refused_and_others_are_not(
    services: ServiceStore, store: ClockedStore, order: Orders
) -> None:
    services.add(Service("crm", max_pending=3))
    rows = [*orders(4, order), *orders(1, order, "billing"), *orders(1, order, None)]
    answers = store.enqueue_many(rows, 60)
    assert refused(answers) == ["", "", "", "max_pending", "", ""]
    error = answers[3]
    assert isinstance(error, OverQuotaError)
    assert (error.service, error.limit, error.retry_after) == ("crm", 3, 5)
    assert str(error) == "service crm is over its quota max_pending=3: try again in 5 s"
    assert counters(services) == (3, 0)
    with pytest.raises(OverQuotaError):
        store.enqueue(orders(1, order)[0], 60)
    deliver(store)
    assert refused(store.enqueue_many(orders(2, order), 60)) == ["", "max_pending"]


def test_what_is_known_is_no_new_row(services: ServiceStore, store: ClockedStore, order: Orders) -> None:
    services.add(Service("crm", max_pending=1, rate=1))
    rows = orders(2, order, idempotency_key="k", fingerprint="f")
    assert [refused(store.enqueue_many(rows, 60)) for _ in range(30)] == [["", ""]] * 30
    assert counters(services) == (1, 0)


def test_merged_jobs_are_not_counted_but_refused_with_the_others(
    services: ServiceStore, store: ClockedStore, order: Orders
) -> None:
    """A row that is merged while earlier ones are refused would change the order of its record."""
    services.add(Service("crm", max_pending=2))
    rows = [order(service="crm", merge=True) for _ in range(5)]
    assert refused(store.enqueue_many(rows, 60)) == [""] * 5
    assert counters(services) == (1, 0)
    rows = [*orders(2, order), order(service="crm", merge=True)]
    assert refused(store.enqueue_many(rows, 60)) == ["", "max_pending", "max_pending"]


def test_once_a_row_is_over_all_later_rows_of_the_bulk_are(
    services: ServiceStore, store: ClockedStore, order: Orders
) -> None:
    """Also in later calls of the script, although jobs were delivered meanwhile."""
    services.add(Service("crm", max_pending=3))
    assert refused(store.enqueue_calls([orders(4, order)], 60, bulk="one")) == ["", "", "", "max_pending"]
    deliver(store)
    assert refused(store.enqueue_calls([orders(2, order)], 60, bulk="one")) == ["max_pending"] * 2
    assert refused(store.enqueue_calls([orders(2, order, "billing")], 60, bulk="one")) == ["", ""]
    assert refused(store.enqueue_calls([orders(2, order)], 60, bulk="two")) == ["", "max_pending"]
    assert 0 < store.client.ttl("test:over_quota:one") <= 300
    deliver(store)
    assert refused(store.enqueue_many(orders(60, order), 60)) == [""] + ["max_pending"] * 59


def test_dead_letters_over_max_dead_refuse_new_rows(services: ServiceStore, store: ClockedStore, order: Orders) -> None:
    services.add(Service("crm", max_dead=2))
    assert refused(store.enqueue_many(orders(2, order), 60)) == ["", ""]
    first = bury(store)
    bury(store)
    answers = store.enqueue_many(orders(1, order), 60)
    assert isinstance(answers[0], OverQuotaError)
    assert (answers[0].quota, answers[0].limit, answers[0].retry_after) == ("max_dead", 2, 60)
    assert store.purge(first.id, 60) == "purged"
    assert refused(store.enqueue_many(orders(1, order), 60)) == [""]


def test_the_rate_bounds_new_rows_also_merged_ones(services: ServiceStore, store: ClockedStore, order: Orders) -> None:
    services.add(Service("crm", rate=2))
    rows = [order(service="crm", merge=True) for _ in range(21)]
    assert refused(store.enqueue_many(rows, 60)) == [""] * 20 + ["rate"]
    answers = store.enqueue_many(orders(1, order), 60)
    assert isinstance(answers[0], OverQuotaError)
    assert (answers[0].limit, answers[0].retry_after) == (2, 0.5)
    store.pass_time(0.5)
    assert refused(store.enqueue_many(orders(2, order), 60)) == ["", "rate"]
    store.pass_time(3600)
    assert refused(store.enqueue_many(orders(21, order), 60)) == [""] * 20 + ["rate"]


def expired(store: ClockedStore, job: str) -> None:
    store.pass_time(100)
    assert store.expire(10) == [job]


def late(store: ClockedStore) -> None:
    job = bury(store)
    assert store.deliver(report(job), retention=60).code == "delivered"


def late_after_reclaim(store: ClockedStore) -> None:
    """Delivered while a newer attempt is in flight, which ends later."""
    job = release(store)
    store.pass_time(60)
    store.reclaim(10, 9)
    newer = release(store)
    assert store.deliver(report(job), retention=60).code == "delivered"
    assert store.deliver(report(newer), retention=60).code == "stale"


def back(store: ClockedStore) -> None:
    store.pass_time(60)
    assert len(store.reclaim(10, 9)) == 1


MOVES: dict[str, tuple[Callable[[ClockedStore, str], object], tuple[int, int]]] = {
    "nothing": (lambda *_: None, (1, 0)),
    "released": (lambda store, _: release(store), (1, 0)),
    "delivered": (lambda store, _: deliver(store), (0, 0)),
    "retried": (lambda store, _: store.retry(report(release(store)), delay=5), (1, 0)),
    "throttled": (lambda store, _: store.throttle(report(release(store)), wait=5), (1, 0)),
    "requeued": (lambda store, _: store.requeue(report(release(store)), wait=5, sent=True), (1, 0)),
    "reclaimed": (lambda store, _: (release(store), back(store)), (1, 0)),
    "buried": (lambda store, _: bury(store), (0, 1)),
    "exhausted": (
        lambda store, _: store.retry(report(release(store)), delay=5, retry_policy=RetryPolicy(1, 60)),
        (0, 1),
    ),
    "reclaimed for the last time": (
        lambda store, _: (release(store), store.pass_time(60), store.reclaim(10, 1)),
        (0, 1),
    ),
    "expired": (expired, (0, 1)),
    "cancelled": (lambda store, job: store.cancel(job, 60), (0, 0)),
    "purged": (lambda store, job: (bury(store), store.purge(job, 60)), (0, 0)),
    "replayed": (lambda store, job: (bury(store), store.replay(job)), (1, 0)),
    "replayed and delivered": (lambda store, job: (bury(store), store.replay(job), deliver(store)), (0, 0)),
    "delivered when dead": (lambda store, _: late(store), (0, 0)),
    "delivered twice": (lambda store, _: late_after_reclaim(store), (0, 0)),
}


@pytest.mark.parametrize("moved", MOVES)
def test_the_counters_move_with_the_job(services: ServiceStore, store: ClockedStore, order: Orders, moved: str) -> None:
    services.add(Service("crm", max_pending=5, max_dead=5))
    new_job = order(service="crm", expires_at=store.now + 90)
    store.enqueue(new_job, 60)
    move, expected = MOVES[moved]
    move(store, new_job.id)
    assert counters(services) == expected


def test_replays_and_retries_are_never_refused(services: ServiceStore, store: ClockedStore, order: Orders) -> None:
    services.add(Service("crm", max_pending=1, max_dead=1, rate=1))
    for _ in range(3):
        services.add(Service("crm", max_pending=1, max_dead=9))
        store.enqueue(orders(1, order)[0], 60)
        dead = bury(store)
        services.add(Service("crm", max_pending=1, max_dead=1))
        assert store.replay(dead.id) == "replayed"
        store.enqueue_many(orders(1, order), 60)
        bury(store)
    assert sum(counters(services)) == 3


def test_jobs_without_a_quota_are_not_counted_later(services: ServiceStore, store: ClockedStore, order: Orders) -> None:
    store.enqueue_many(orders(2, order), 60)
    services.add(Service("crm"))
    store.enqueue_many(orders(1, order), 60)
    assert store.client.hexists("test:job:job3", "counted") is False
    services.add(Service("crm", max_pending=1))
    assert refused(store.enqueue_many(orders(2, order), 60)) == ["", "max_pending"]
    services.add(Service("crm"))
    for _ in range(4):
        deliver(store)
    assert counters(services) == (0, 0)


def test_a_removed_service_ends_with_the_last_job_that_it_counts(
    services: ServiceStore, store: ClockedStore, order: Orders
) -> None:
    services.add(Service("crm", max_pending=2))
    store.enqueue_many(orders(2, order), 60)
    services.remove("crm")
    assert services.get("crm") is None
    assert refused(store.enqueue_many(orders(1, order), 60)) == [""]
    deliver(store)
    services.add(Service("crm", max_pending=2))
    assert counters(services) == (1, 0)
    services.remove("crm")
    dead = bury(store)
    assert store.client.exists("test:service:crm") == 1
    store.purge(dead.id, 60)
    assert store.client.exists("test:service:crm") == 0
    deliver(store)
    assert store.client.exists("test:service:crm") == 0


@pytest.mark.parametrize("broken", ["key", "pending", "max_pending", "next_at"])
def test_a_broken_service_stops_no_job(services: ServiceStore, store: ClockedStore, order: Orders, broken: str) -> None:
    services.add(Service("crm", max_pending=10, max_dead=10, rate=100))
    store.enqueue_many(orders(2, order), 60)
    if broken == "key":
        store.client.delete("test:service:crm")
        store.client.set("test:service:crm", "x")
    else:
        store.client.hset("test:service:crm", broken, "x")
    assert refused(store.enqueue_many(orders(2, order), 60)) == ["", ""]
    bury(store)
    for _ in range(3):
        deliver(store)
