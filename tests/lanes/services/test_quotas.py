"""Quotas of services: what enqueue refuses, and the counters that move with the jobs."""

from collections.abc import Callable

import pytest

from lanes.checks.consistency import check_consistency
from lanes.errors import OverQuotaError
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Reason
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


def orders(count: int, order: Orders, service: str | None = "crm", key: str = "") -> list[NewJob]:
    options = {"idempotency_key": key, "fingerprint": "f"} if key else {}
    return [order("loc", f"pipe/{order.made}", service=service, **options) for _ in range(count)]


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
    answers = store.enqueue_many(orders(4, order), 60)
    assert refused(answers) == ["", "", "", "max_pending"]
    for other in ("billing", None):
        assert refused(store.enqueue_many(orders(2, order, other), 60)) == ["", ""]
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
    rows = orders(2, order, key="k")
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
    for other in ("billing", None):
        assert refused(store.enqueue_calls([orders(2, order, other)], 60, bulk="one")) == ["max_pending"] * 2
        assert refused(store.enqueue_calls([orders(2, order, other)], 60, bulk=f"of {other}")) == ["", ""]
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


Step = Callable[[ClockedStore, str], object]


def deliver_late(store: ClockedStore, job_id: str) -> None:
    del job_id
    job = bury(store)
    assert store.deliver(report(job), retention=60).code == "delivered"


def deliver_twice(store: ClockedStore, job_id: str) -> None:
    """Delivered while a newer attempt is in flight, which ends later."""
    del job_id
    job = release(store)
    store.pass_time(60)
    store.reclaim(10, 9)
    newer = release(store)
    assert store.deliver(report(job), retention=60).code == "delivered"
    assert store.deliver(report(newer), retention=60).code == "stale"


def wait(store: ClockedStore, job_id: str) -> None:
    del job_id
    store.pass_time(100)


def do(step: Callable[[ClockedStore], object]) -> Step:
    return lambda store, _: step(store)


RELEASE, DELIVER, BURY = do(release), do(deliver), do(bury)
MOVES: dict[str, tuple[tuple[Step, ...], tuple[int, int]]] = {
    "accepted": ((), (1, 0)),
    "released": ((RELEASE,), (1, 0)),
    "delivered": ((DELIVER,), (0, 0)),
    "retried": ((do(lambda store: store.retry(report(release(store)), delay=5)),), (1, 0)),
    "throttled": ((do(lambda store: store.throttle(report(release(store)), wait=5)),), (1, 0)),
    "requeued": ((do(lambda store: store.requeue(report(release(store)), wait=5, sent=True)),), (1, 0)),
    "reclaimed": ((RELEASE, wait, do(lambda store: store.reclaim(10, 9))), (1, 0)),
    "buried": ((BURY,), (0, 1)),
    "exhausted": (
        (do(lambda store: store.retry(report(release(store)), delay=5, retry_policy=RetryPolicy(1, 60))),),
        (0, 1),
    ),
    "reclaimed for the last time": ((RELEASE, wait, do(lambda store: store.reclaim(10, 1))), (0, 1)),
    "expired": ((wait, do(lambda store: store.expire(10))), (0, 1)),
    "expired at its release": ((wait, do(lambda store: release_one(store, "w"))), (0, 1)),
    "cancelled": ((lambda store, job: store.cancel(job, 60),), (0, 0)),
    "purged": ((BURY, lambda store, job: store.purge(job, 60)), (0, 0)),
    "replayed": ((BURY, lambda store, job: store.replay(job)), (1, 0)),
    "replayed and delivered": ((BURY, lambda store, job: store.replay(job), DELIVER), (0, 0)),
    "delivered when dead": ((deliver_late,), (0, 0)),
    "delivered twice": ((deliver_twice,), (0, 0)),
}


@pytest.mark.parametrize("moved", MOVES)
def test_the_counters_move_with_the_job(services: ServiceStore, store: ClockedStore, order: Orders, moved: str) -> None:
    services.add(Service("crm", max_pending=5, max_dead=5))
    new_job = order(service="crm", expires_at=store.now + 90)
    store.enqueue(new_job, 60)
    steps, expected = MOVES[moved]
    for step in steps:
        step(store, new_job.id)
    assert counters(services) == expected


def test_restored_and_imported_dead_letters_are_counted(
    services: ServiceStore, store: ClockedStore, order: Orders
) -> None:
    services.add(Service("crm", max_dead=5))
    new_job = order(service="crm")
    store.enqueue(new_job, 60)
    bury(store)
    store.purge(new_job.id, 60)
    imported = order(record="another", service="crm")
    for each in (new_job, imported):
        assert store.restore(DeadLetter(each, Reason.REFUSED, store.now, store.now, ())) == "restored"
    assert counters(services) == (0, 2)
    assert store.restore(DeadLetter(imported, Reason.REFUSED, store.now, store.now, ())) == "dead"
    assert store.purge(imported.id, 60) == "purged"
    assert counters(services) == (0, 1)
    services.add(Service("crm"))  # without a quota nothing more is counted
    another = order(record="a third", service="crm")
    assert store.restore(DeadLetter(another, Reason.REFUSED, store.now, store.now, ())) == "restored"
    assert list(check_consistency(store)) == []


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


def test_refused_rows_are_counted(services: ServiceStore, store: ClockedStore, order: Orders) -> None:
    services.add(Service("crm", max_pending=1))
    store.enqueue_many(orders(3, order), 60)
    store.enqueue_many(orders(1, order), 60)
    found = services.get("crm")
    assert found is not None
    assert (found.refused, found.over) == (3, ("max_pending",))
