"""All transitions in any order, with stale and repeated calls, on a real Redis in virtual time.

After each step the audit of `lanes check` must find nothing, and a plain model must agree on the state of every job, on
the order of deliveries per record, and on the limit in any window.
"""

from collections import defaultdict
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lanes.audit import audit
from lanes.job import Acceptance, Released, Result, State
from lanes.transitions import OutageRule, Patience, Report
from tests.lanes.conftest import LIMITS, ClockedStore, Orders, seat

LOCATIONS = ("red", "blue")
RECORDS = ("pipe/a", "pipe/b", "pipe/c")
WORKERS = ("w1", "w2", "w3")
MOST_FAILURES = 3
RULE = OutageRule(failures=4, locations=2, gap=1, most_gap=8)
PATIENCE = Patience(max_attempts=MOST_FAILURES, max_age=86_400)


@dataclass
class Known:
    """What the model knows of a job."""

    location: str
    record: str
    state: State = State.PENDING
    attempt: int = 0
    leased: bool = False
    lease_ends: float = 0
    expires_at: float = float("inf")
    held_before: float = 0
    expires_while_held: bool = False


@dataclass(frozen=True)
class Sent:
    """A request that a worker made, reported or not, at most one for each worker at a time."""

    worker: str
    job: Released


class LanesMachine(RuleBasedStateMachine):
    """The rules are the store's methods."""

    store: ClockedStore

    @initialize()
    def begin(self) -> None:
        """An empty Redis."""
        self.store.client.flushall()
        self.store.pass_time(0)
        self.orders = Orders()
        self.jobs: dict[str, Known] = {}
        self.sent: list[Sent] = []
        self.busy: dict[str, Released] = {}
        self.charged: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.held: dict[str, bool] = dict.fromkeys(LOCATIONS, False)
        self.all_held = False
        self.held_for: dict[str, float] = dict.fromkeys(LOCATIONS, 0.0)

    @rule(
        location=st.sampled_from(LOCATIONS),
        record=st.sampled_from(RECORDS),
        wait=st.sampled_from((None, 5.0, 40.0)),
        life=st.sampled_from((None, 20.0)),
        strict=st.booleans(),
    )
    def enqueue(self, location: str, record: str, wait: float | None, life: float | None, strict: bool) -> None:
        """A new job; the same call again changes nothing."""
        order = self.orders(
            location,
            record,
            not_before=None if wait is None else self.store.now + wait,
            expires_at=None if life is None else self.store.now + life,
            expires_while_held=strict,
        )
        assert self.store.enqueue(order, 60).acceptance is Acceptance.ACCEPTED
        assert self.store.enqueue(order, 60).acceptance is Acceptance.KNOWN
        self.jobs[order.id] = Known(
            location,
            record,
            expires_at=float("inf") if order.expires_at is None else order.expires_at,
            held_before=self.held_for[location],
            expires_while_held=strict,
        )

    @rule(location=st.sampled_from(LOCATIONS))
    def enqueue_some(self, location: str) -> None:
        """One new job for each record, to be sent at once."""
        for record in RECORDS:
            self.enqueue(location, record, None, None, strict=False)

    def over(self, known: Known) -> bool:
        """Whether the time of a job is over: later than was said by the time for which it was held since."""
        moved = 0 if known.expires_while_held else self.held_for[known.location] - known.held_before
        return known.expires_at + moved <= self.store.now

    def released(self, worker: str, result: Result) -> None:
        """Note what a call released."""
        job = result.next
        if not isinstance(job, Released):
            self.busy.pop(worker, None)
            self.note_expired()
            return
        known = self.jobs[job.id]
        if self.busy.get(worker) != job:
            self.note_expired()
            assert known.state is State.PENDING
            assert not self.held[known.location]
            assert not self.all_held
            assert not self.over(known)
            assert job.attempt == known.attempt + 1
            in_flight = [other for other in self.jobs.values() if other.leased]
            assert (known.location, known.record) not in {(other.location, other.record) for other in in_flight}
            known.state, known.attempt, known.leased = State.IN_FLIGHT, job.attempt, True
            known.lease_ends = self.store.now + 30
            self.charged[job.location_id].append((self.store.now, self.store.now + 30))
        self.busy[worker] = job
        self.sent.append(Sent(worker, job))

    def note_expired(self) -> None:
        """A release may find jobs that are too old: read their state from the store; the audit checks the rest."""
        for job_id, known in self.jobs.items():
            if known.state is State.PENDING:
                job = self.store.job(job_id)
                assert job is not None
                if job.state is State.EXPIRED:
                    assert self.over(known)
                    known.state = State.EXPIRED

    @rule(worker=st.sampled_from(WORKERS))
    def release(self, worker: str) -> None:
        """A worker asks for a job; if it has one that it never reported on, it gets that one."""
        self.released(worker, self.store.release(seat(worker)))

    @rule()
    def release_all(self) -> None:
        """Every worker asks."""
        for worker in WORKERS:
            self.release(worker)

    @precondition(lambda self: self.sent)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(("deliver", "deliver", "retry", "fail", "fail", "throttle", "bury", "unauthorized")),
        take=st.booleans(),
    )
    def report(self, data: st.DataObject, outcome: str, take: bool) -> None:
        """Any attempt that was ever made reports, perhaps again, perhaps long after its lease."""
        sent = data.draw(st.sampled_from(self.sent))
        job, known = sent.job, self.jobs[sent.job.id]
        free = self.busy.get(sent.worker) in (None, job)
        following = seat(sent.worker) if take and free else None
        current = known.state is State.IN_FLIGHT and known.attempt == job.attempt
        leased = known.leased and known.attempt == job.attempt
        window = self.charged[job.location_id]
        window[:] = [(at, min(end, self.store.now)) if at == job.released_at else (at, end) for at, end in window]
        report = Report(job.id, job.attempt, "{}", LIMITS)
        if outcome == "deliver":
            result = self.store.deliver(report, retention=10**6, take=following)
            expected = "stale" if known.state is State.DELIVERED else "delivered"
            known.state = State.DELIVERED
        elif outcome == "retry":
            result = self.store.retry(report, delay=7, take=following)
            expected = "retried" if current else "stale"
            known.state = State.PENDING if current else known.state
        elif outcome == "fail":
            result = self.store.retry(report, delay=2, outage=RULE, patience=PATIENCE, take=following)
            job_now = self.store.job(job.id)
            assert job_now is not None
            if current and result.code == "buried":
                assert job_now.failures >= MOST_FAILURES or self.store.now - job_now.accepted_at >= PATIENCE.max_age
                assert self.store.gate().outage is None
            expected = result.code if current and result.code == "buried" else "retried" if current else "stale"
            if current:
                known.state = State.DEAD if result.code == "buried" else State.PENDING
        elif outcome == "throttle":
            result = self.store.throttle(report, wait=3, take=following)
            expected = "throttled" if current else "stale"
            known.state = State.PENDING if current else known.state
        else:
            hold = "no" if outcome == "unauthorized" else ""
            result = self.store.bury(report, reason="refused", hold=hold, take=following)
            expected = "buried" if current else "stale"
            known.state = State.DEAD if current else known.state
            self.held[known.location] |= current and outcome == "unauthorized"
        assert result.code == expected
        if leased:
            known.leased = False
        if self.busy.get(sent.worker) == job:
            del self.busy[sent.worker]
        if following is not None:
            self.released(sent.worker, result)

    @rule(seconds=st.sampled_from((0.5, 4.0, 11.0, 31.0, 90000.0)))
    def pass_time(self, seconds: float) -> None:
        """Time passes; seats are forgotten when their leases end."""
        outage = self.store.gate().outage
        paused = self.all_held or (outage is not None and outage.room == 1)
        for location, held in self.held.items():
            self.held_for[location] += seconds if held or paused else 0
        self.store.pass_time(seconds)
        for worker, job in list(self.busy.items()):
            if job.released_at + 30 <= self.store.now:
                del self.busy[worker]
                self.store.client.delete(self.store.key("seat", worker))

    @rule()
    def reclaim(self) -> None:
        """The jobs of silent workers come back, or die when they have failed too often."""
        reclaimed = {job.id: job for job in self.store.reclaim(100, MOST_FAILURES)}
        for job_id, known in self.jobs.items():
            over = known.leased and known.lease_ends <= self.store.now
            assert (job_id in reclaimed) == (over and known.state is State.IN_FLIGHT)
            if job_id in reclaimed:
                known.state = State.DEAD if reclaimed[job_id].buried else State.PENDING
            if over:
                known.leased = False

    @rule()
    def expire(self) -> None:
        """Jobs that are too old leave."""
        for job_id in self.store.expire(100, 10**6):
            assert self.jobs[job_id].state is State.PENDING
            assert self.over(self.jobs[job_id])
            self.jobs[job_id].state = State.EXPIRED

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), verb=st.sampled_from(("cancel", "replay", "purge")))
    def act(self, data: st.DataObject, verb: str) -> None:
        """A person or a service acts on any job."""
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        known = self.jobs[job_id]
        if verb == "cancel":
            answer, needs, becomes = self.store.cancel(job_id, 10**6), State.PENDING, State.CANCELLED
        elif verb == "replay":
            answer, needs, becomes = self.store.replay(job_id), State.DEAD, State.PENDING
        else:
            answer, needs, becomes = self.store.purge(job_id, 10**6), State.DEAD, State.CANCELLED
        done = {"cancel": "cancelled", "replay": "replayed", "purge": "purged"}[verb]
        assert answer == (done if known.state is needs else known.state.value)
        if known.state is needs:
            known.state = becomes
            if verb == "replay":
                known.expires_at = float("inf")

    @rule(location=st.sampled_from(LOCATIONS), stop=st.booleans())
    def hold(self, location: str, stop: bool) -> None:
        """An operator stops a lane or lets it go on."""
        if stop:
            self.store.hold(location, "to look at it", "operator")
        else:
            assert self.store.resume(location) == ("resumed" if self.held[location] else "free")
        self.held[location] = stop

    @rule(stop=st.booleans())
    def hold_all(self, stop: bool) -> None:
        """An operator stops everything or lets it go on; lanes that are held on their own stay so."""
        if stop:
            self.store.hold_all("to look at it all", "operator")
        else:
            assert self.store.resume_all() == ("resumed" if self.all_held else "free")
        self.all_held = stop

    @invariant()
    def gate_stands(self) -> None:
        """The gate is shut while there is a reason, and no longer; no more are out in an outage than may be."""
        gate = self.store.gate()
        shut = self.store.client.zscore(self.store.key("due"), "") is not None
        assert shut == (gate.hold is not None or gate.outage is not None)
        assert (gate.hold is not None) == self.all_held
        out = self.store.client.zcount(self.store.key("probes"), f"({round(self.store.now * 1e6)}", "+inf")
        assert out <= (gate.outage.room if gate.outage else 0)
        assert {lane.location_id for lane in self.store.lanes() if lane.hold} == {
            location for location, held in self.held.items() if held
        }

    @invariant()
    def sound(self) -> None:
        """Every job is in one place, the counts add up, and the model agrees."""
        assert list(audit(self.store)) == []
        counts = self.store.counts()
        assert counts["accepted"] == len(self.jobs)
        for state in State:
            assert counts[state] == sum(1 for known in self.jobs.values() if known.state is state), state
        lanes = self.store.lanes()
        for name in ("accepted", *State):
            assert sum(lane.counts[name] for lane in lanes) == counts[name]

    @invariant()
    def within_the_limit(self) -> None:
        """However late the server counts a request, from its release to its report, no window holds too many."""
        for spans in self.charged.values():
            for begin in {end for _, end in spans}:
                assert sum(1 for at, end in spans if at < begin + LIMITS.window and end >= begin) <= LIMITS.burst


@pytest.mark.parametrize("steps", [40])
def test_lanes_keep_their_promises(redis_url: str, steps: int) -> None:
    """The machine on the test's own Redis."""

    class Machine(LanesMachine):
        store = ClockedStore(redis_url)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=150,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
