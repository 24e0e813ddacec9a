"""Jobs in every state, and functions to check, repair and drain them."""

import json
from collections.abc import Iterable

from lanes.checks.consistency import check_consistency
from lanes.checks.finding import Finding
from lanes.checks.repair import RepairDefaults, Repairer
from lanes.queue.new_job import NewJob
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport, Consumer, CountedRefusal, DefaultLimits
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from tests.lanes.conftest import ClockedStore

LIMITS = DefaultLimits(burst=1000, window=10, daily=100_000)
REPAIR_DEFAULTS = RepairDefaults(lease=30, window=10, retention=3600)


def order(job_id: str, location: str, record: str, **options: object) -> NewJob:
    """A job whose body holds its own id."""
    body = {"pipelineId": "pipe", "locationId": location, "contactId": record, "name": job_id}
    return NewJob(job_id, location, record, json.dumps(body, separators=(",", ":")).encode(), **options)  # type: ignore[arg-type]


def read_body(job_id: str, body: bytes) -> NewJob | None:
    """Whose a body is."""
    try:
        found = json.loads(body)
        return order(job_id, found["locationId"], found["contactId"])
    except (ValueError, KeyError, TypeError):
        return None


def release_one(store: ClockedStore, worker: str) -> Released | None:
    """Release a job for a new worker."""
    found = store.release(Consumer(worker, 30, 3600, LIMITS)).next
    return found if isinstance(found, Released) else None


def report(job: Released) -> AttemptReport:
    """The report of an attempt."""
    return AttemptReport(job.id, job.attempt, "{}", LIMITS)


END_SECONDS = 2 * 86_400.0  # after its last job, a lane has ended


def end_a_lane(store: ClockedStore) -> None:
    """The lane of the location `ended` delivered a job, which nobody can read any more, and ends."""
    store.enqueue(order("read", "ended", "a"), 60)
    job = release_one(store, "w")
    assert job is not None
    store.deliver(report(job), retention=1)
    store.pass_time(END_SECONDS)
    store.client.delete(store.key("done", "read"))
    assert store.end_idle_lanes(0, 10) == (0, ["ended"])


def set_up(store: ClockedStore) -> list[str]:
    """Put jobs into every state, after a lane that ended; return the ids of all."""
    ids = []
    end_a_lane(store)
    ServiceStore(store).add(Service("crm", max_pending=1000, max_dead=1000, rate=1000))
    ServiceStore(store).make_key("crm")

    def add(job_id: str, record: str, location: str = "loc", **options: object) -> None:
        ids.append(job_id)
        store.enqueue(order(job_id, location, record, **options), 60)

    def send() -> Released:
        job = release_one(store, f"w{len(ids)}-{store.now}")
        assert job is not None
        store.pass_time(0.001)
        return job

    add("costly", "o", "slow")
    add("slowed", "p", "slow")
    store.bury(report(send()), reason="refused", refusal=CountedRefusal(1, 60, 60, 403, "shape"))
    add("done", "a", service="crm")
    store.deliver(report(send()), retention=3600)
    add("refused", "b", service="crm")
    store.bury(report(send()), reason="refused")
    add("old", "c", expires_at=store.now + 1)
    store.pass_time(2)
    store.expire(10)
    add("gone", "d", service="crm")
    store.cancel("gone", 3600)
    add("sent", "e", service="crm")
    send()
    add("after-sent", "e")
    add("retried", "f")
    store.retry(report(send()), delay=5)
    add("after-retried", "f")
    add("replayed", "g")
    store.bury(report(send()), reason="refused")
    store.replay("replayed")
    add("waiting", "h", expires_at=store.now + 1000)
    add("joined", "h", merge=True, service="crm")
    add("second", "h")
    add("third", "h")
    add("timed", "i", not_before=store.now + 20)
    add("urgent", "j", priority=3, service="crm")
    add("held", "k", "held")
    store.hold("held", "a reason", "operator")
    add("elsewhere", "l", "other")
    add("plain", "m")
    add("brief", "n", expires_at=store.now + 1000)
    assert list(check_consistency(store)) == []
    return ids


def repair(store: ClockedStore) -> list[Finding]:
    """Repair until nothing can be repaired any more; return the remaining findings."""
    repairer = Repairer(store, REPAIR_DEFAULTS, read_body)
    for _ in range(5):
        findings = list(check_consistency(store))
        if not [repairer.repair(finding) for finding in findings if finding.repair]:
            break
    return list(check_consistency(store))


def drain(store: ClockedStore) -> list[str]:
    """Let workers send all that can be sent; return the ids in the order in which they were delivered."""
    store.resume("held")
    delivered: list[str] = []
    for turn in range(60):
        counts = store.counts()
        if counts["pending"] == counts["in_flight"] == 0:
            break
        store.reclaim(100, 99)
        while job := release_one(store, f"drain{turn}-{len(delivered)}"):
            assert store.deliver(report(job), retention=3600).code == "delivered"
            delivered.append(job.id)
        store.pass_time(5)
    return delivered


def codes(findings: Iterable[Finding]) -> set[str]:
    """The kinds of findings."""
    return {finding.code for finding in findings}
