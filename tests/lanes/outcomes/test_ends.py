"""Every end of a job has one outcome in the stream of its service, with the right content; nothing else has one."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.checks.repair import RepairDefaults, Repairer
from lanes.dead_letters.operations import replay
from lanes.outcomes.outcome import Outcome
from lanes.outcomes.store import OutcomeStore
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Reason, State
from lanes.queue.new_job import NewJob
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport, RetryPolicy
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from producers.files.dead_letters import dead_letter_row, read_dead_letter
from producers.files.file_row import FileRow
from tests.lanes.conftest import START, ClockedStore
from tests.lanes.outcomes.conftest import outcomes_in
from tests.lanes.scripts.test_merging import upsert
from tests.lanes.whole_state import KEPT, KNOWN, LIMITS, make_consumer, send

ANSWER = {"status": 201, "trace_id": "t-1", "opportunity_id": "opp", "new": True, "seconds": 0.1, "worker": "w"}
REFUSAL = {"status": 400, "message": "the stage does not exist", "code": "NO_STAGE", "trace_id": "t-2"}


def report_of(job: Released, detail: dict[str, Any]) -> AttemptReport:
    """Return the report of an attempt with these details."""
    return AttemptReport(job.id, job.attempt, json.dumps(detail), LIMITS)


def enqueue(store: ClockedStore, job_id: str = "a", **options: Any) -> None:
    """Enqueue a job of the service."""
    store.enqueue(
        NewJob(
            job_id,
            "loc",
            "rec",
            b'{"pipelineId":"p","locationId":"loc","contactId":"c"}',
            **{"service": "crm", **options},
        ),
        KNOWN,
    )


def deliver(store: ClockedStore) -> None:
    store.deliver(report_of(send(store), ANSWER), retention=KEPT)


def bury(store: ClockedStore) -> None:
    store.bury(report_of(send(store), REFUSAL), reason="refused")


def exhaust(store: ClockedStore) -> None:
    store.retry(report_of(send(store), REFUSAL), delay=1, retry_policy=RetryPolicy(1, 10**6))


def lose(store: ClockedStore) -> None:
    send(store)
    store.pass_time(61)
    store.reclaim(9, 1)


def expire(store: ClockedStore) -> None:
    store.pass_time(50)
    assert store.expire(9) == ["a"]


def expire_on_release(store: ClockedStore) -> None:
    store.pass_time(50)
    store.release(make_consumer())


def cancel(store: ClockedStore) -> None:
    assert store.cancel("a", KEPT) == "cancelled"


def hold(store: ClockedStore) -> None:
    store.bury(report_of(send(store), REFUSAL), reason="unauthorized", hold="no access")


ENDS: dict[str, tuple[Callable[[ClockedStore], None], dict[str, object]]] = {
    "delivered": (deliver, {"state": State.DELIVERED, "opportunity_id": "opp", "new": True, "status": 201}),
    "refused": (bury, {"state": State.DEAD, "reason": "refused", "code": "NO_STAGE", "status": 400}),
    "exhausted": (exhaust, {"state": State.DEAD, "reason": "exhausted", "message": REFUSAL["message"]}),
    "lost": (lose, {"state": State.DEAD, "reason": "exhausted", "message": "the lease ended without a report"}),
    "unauthorized": (hold, {"state": State.DEAD, "reason": "unauthorized", "trace_id": "t-2"}),
    "expired": (expire, {"state": State.EXPIRED, "reason": "expired", "status": None}),
    "expired on release": (expire_on_release, {"state": State.EXPIRED, "reason": "expired"}),
    "cancelled": (cancel, {"state": State.CANCELLED, "reason": None, "status": None}),
}


@pytest.mark.usefixtures("crm")
@pytest.mark.parametrize("end", ENDS)
def test_an_end_has_one_outcome(store: ClockedStore, end: str) -> None:
    enqueue(store, expires_at=START + 30 if end.startswith("expired") else None)
    make, expected = ENDS[end]
    make(store)
    (outcome,) = outcomes_in(store)
    assert {name: getattr(outcome, name) for name in expected} == expected
    assert (outcome.service, outcome.job_id, outcome.end) == ("crm", "a", 1)
    assert (outcome.accepted_at, outcome.ended_at) == (START, store.now)
    assert list(check_consistency(store)) == []
    assert len(outcomes_in(store)) == 1


@pytest.mark.usefixtures("crm")
def test_every_end_of_a_job_is_told(store: ClockedStore) -> None:
    """Dead, replayed, lost and dead again, purged, and delivered by a late report."""
    enqueue(store)
    bury(store)
    store.pass_time(11)
    replay(store, ["a"])
    job = send(store)
    store.pass_time(61)
    store.reclaim(9, 1)
    store.purge("a", KEPT)
    store.deliver(report_of(job, ANSWER), retention=KEPT)
    assert store.deliver(report_of(job, ANSWER), retention=KEPT).code == "stale"
    states = [(outcome.end, outcome.state.value, outcome.reason) for outcome in outcomes_in(store)]
    assert states == [
        (1, "dead", "refused"),
        (2, "dead", "exhausted"),
        (3, "cancelled", "purged"),
        (4, "delivered", None),
    ]
    assert outcomes_in(store)[-1].opportunity_id == "opp"


@pytest.mark.usefixtures("crm")
def test_a_late_success_of_a_job_in_flight_is_told_once(store: ClockedStore) -> None:
    """A newer attempt is still in flight when the report of the older one comes."""
    enqueue(store)
    first = send(store)
    store.pass_time(61)
    store.reclaim(9, 9)
    second = send(store)
    store.deliver(report_of(first, ANSWER), retention=KEPT)
    store.deliver(report_of(second, ANSWER), retention=KEPT)
    assert [(outcome.end, outcome.state) for outcome in outcomes_in(store)] == [(1, State.DELIVERED)]


@pytest.mark.parametrize("added", [None, "without outcomes", "removed"])
def test_only_services_with_outcomes_are_told(store: ClockedStore, added: str | None) -> None:
    services = ServiceStore(store)
    if added:
        services.add(Service("crm", outcomes=added != "without outcomes"))
    if added == "removed":
        services.remove("crm")
    enqueue(store)
    bury(store)
    assert store.client.exists(store.key("outcomes", "crm")) == 0
    assert store.client.hget(store.key("job", "a"), "ends") is None


@pytest.mark.usefixtures("crm")
def test_neither_a_repair_nor_an_import_is_an_end(store: ClockedStore) -> None:
    enqueue(store)
    bury(store)
    store.client.hset(store.key("job", "a"), "state", "nonsense")
    repairer = Repairer(store, RepairDefaults(30, 10, KEPT), lambda _id, _body: None)
    assert [repairer.repair(finding) for finding in list(check_consistency(store))] == ["repaired"]
    job = NewJob("b", "loc", "rec", b"{}", service="crm")
    store.restore(DeadLetter(job, Reason.REFUSED, START, START, ()))
    assert [outcome.job_id for outcome in outcomes_in(store)] == ["a"]


def test_an_imported_dead_letter_goes_on_counting_its_ends(store: ClockedStore, crm: ServiceStore) -> None:
    """Else its service would take the next outcome for a repeat."""
    enqueue(store)
    bury(store)
    job = store.job("a")
    assert job is not None
    letter = read_dead_letter(FileRow(1, dead_letter_row(job)))
    store.client.flushall()
    store.pass_time(0)
    crm.add(Service("crm"))
    store.restore(letter)
    store.purge("a", KEPT)
    assert [(outcome.end, outcome.state) for outcome in outcomes_in(store)] == [(2, State.CANCELLED)]


def merge(store: ClockedStore, job_id: str, service: str | None = "crm") -> None:
    store.enqueue(upsert(job_id, {"n": 2}, merge=True, service=service), KNOWN)


def ended(outcomes: list[Outcome]) -> list[tuple[str, int, str]]:
    """Return what ended, and how."""
    return [(outcome.job_id, outcome.end, outcome.state.value) for outcome in outcomes]


@pytest.mark.parametrize("own", ["crm", "other", None])
def test_merged_jobs_end_with_the_job_that_carries_them(
    store: ClockedStore, crm: ServiceStore, own: str | None
) -> None:
    crm.add(Service("web"))
    store.enqueue(upsert("a", {"n": 1}, service=own), KNOWN)
    for job_id, service in (("b", "crm"), ("c", "web"), ("d", None), ("e", "other")):
        merge(store, job_id, service)
    assert outcomes_in(store) == []
    bury(store)
    store.purge("a", KEPT)
    of_crm = {"a", "b"} if own == "crm" else {"b"}
    dead, purged = ({(job_id, end, state) for job_id in of_crm} for end, state in ((1, "dead"), (2, "cancelled")))
    assert sorted(ended(outcomes_in(store))) == sorted(dead | purged)
    assert ended(outcomes_in(store, "web")) == [("c", 1, "dead"), ("c", 2, "cancelled")]
    assert outcomes_in(store, "web")[0].code == "NO_STAGE"
    assert store.client.exists(store.key("outcomes", "other")) == 0


@pytest.mark.usefixtures("crm")
@pytest.mark.parametrize("state", ["pending", "in flight", "delivered", "dead"])
def test_a_job_merged_into_one_that_has_ended_ends_at_once(store: ClockedStore, state: str) -> None:
    store.enqueue(upsert("a", {"status": "won"}, event_time=START - 5), KNOWN)
    if state != "pending":
        job = send(store)
    if state == "delivered":
        store.deliver(report_of(job, ANSWER), retention=KEPT)
    if state == "dead":
        store.bury(report_of(job, REFUSAL), reason="refused")
    store.enqueue(upsert("b", {"status": "open"}, event_time=START - 9, service="crm"), KNOWN)
    if state in ("pending", "in flight"):
        assert outcomes_in(store) == []
        return
    (outcome,) = outcomes_in(store)
    assert ended([outcome]) == [("b", 1, state)]
    assert (outcome.status, outcome.trace_id) == ((201, "t-1") if state == "delivered" else (400, "t-2"))
    if state == "dead":
        replay(store, ["a"])
        store.deliver(report_of(send(store), ANSWER), retention=KEPT)
        assert ended(outcomes_in(store)) == [("b", 1, "dead"), ("b", 2, "delivered")]


@pytest.mark.usefixtures("crm")
@pytest.mark.parametrize("crash", [False, True])
def test_a_worker_writes_the_outcomes_of_many_merged_jobs(store: ClockedStore, crash: bool) -> None:
    """Whatever the script left is in Redis; with a crash, the job ends again before a worker comes to it."""
    jobs = [upsert("a", {"n": 0}), *(upsert(f"m{n}", {"n": n}, merge=True, service="crm") for n in range(1300))]
    store.enqueue_many(jobs, KNOWN)
    bury(store)
    entries = store.client.xlen(store.key("outcomes", "crm"))
    assert (entries, len(outcomes_in(store))) == (1, 500)
    if crash:
        store.purge("a", KEPT)
        assert len(outcomes_in(store)) == 1000
    outcomes = OutcomeStore(store)
    while outcomes.write_outcomes():
        assert list(check_consistency(store)) == []
    expected = {(f"m{n}", 1, "dead") for n in range(1300)}
    if crash:
        expected |= {(f"m{n}", 2, "cancelled") for n in range(1300)}
    assert set(ended(outcomes_in(store))) == expected
    assert len(outcomes_in(store)) == len(expected)
    assert store.client.keys(store.key("merged_outcomes", "*", "*")) == []
    assert list(check_consistency(store)) == []


@pytest.mark.usefixtures("crm")
@pytest.mark.parametrize("broken", ["service", "outcomes", "merged_jobs", "services"])
def test_a_broken_key_of_a_service_stops_no_job(store: ClockedStore, broken: str) -> None:
    store.enqueue_many([upsert("a", {"n": 1}, service="crm"), upsert("b", {"n": 1}, service="crm", merge=True)], KNOWN)
    names = {"services": store.key("services"), "merged_jobs": store.key("merged_jobs", "a")}
    name = names.get(broken) or store.key(broken, "crm")
    job = send(store)
    store.client.delete(name)
    store.client.set(name, "text")
    assert store.bury(report_of(job, REFUSAL), reason="refused").code == "buried"
    lost = int(store.client.hget(store.key("totals"), "outcomes_lost") or 0)
    assert lost == {"outcomes": 2, "merged_jobs": 1}.get(broken, 0)
