"""All transitions in any order, with stale and repeated calls, on a real Redis in virtual time.

After each step the audit of `lanes check` must find nothing, and a plain model must agree on the state of every job, on
the order of deliveries per record, and on the limit in any window.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Any

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
from lanes.job import Acceptance, Attempt, Order, Reason, Released, Result, State
from lanes.letter import Letter, Moved
from lanes.letters import replay
from lanes.transitions import Report
from tests.lanes.conftest import LIMITS, ClockedStore, Orders, seat

LOCATIONS = ("red", "blue")
RECORDS = ("pipe/a", "pipe/b", "pipe/c")
WORKERS = ("w1", "w2", "w3")
MOST_FAILURES = 3


@dataclass
class Known:
    """What the model knows of a job."""

    location: str
    record: str
    state: State = State.PENDING
    attempt: int = 0
    leased: bool = False
    lease_ends: float = 0
    place: int = 0
    died: bool = False
    purged: bool = False
    lost: bool = False


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
        self.newest: dict[tuple[str, str], str] = {}

    def add(self, job_id: str, known: Known) -> None:
        """A new job, younger than all others."""
        known.place = len(self.jobs)
        self.jobs[job_id] = known

    def end(self, job_id: str, state: State) -> None:
        """The job is done with, or died: what is known of its record changes."""
        known = self.jobs[job_id]
        known.state = state
        record = (known.location, known.record)
        if state in (State.DEAD, State.EXPIRED):
            known.died = True
            return
        known.died = False
        if record not in self.mourning():
            self.newest.pop(record, None)
        elif state is State.DELIVERED:
            other = self.newest.get(record)
            if other is None or self.jobs[other].place < known.place:
                self.newest[record] = job_id

    def mourning(self) -> dict[tuple[str, str], int]:
        """How many jobs of each record died at some time and are not done with."""
        return Counter((known.location, known.record) for known in self.jobs.values() if known.died)

    @rule(
        location=st.sampled_from(LOCATIONS),
        record=st.sampled_from(RECORDS),
        wait=st.sampled_from((None, 5.0, 40.0)),
        life=st.sampled_from((None, None, 20.0)),
    )
    def enqueue(self, location: str, record: str, wait: float | None, life: float | None) -> None:
        """A new job; the same call again changes nothing."""
        order = self.orders(
            location,
            record,
            not_before=None if wait is None else self.store.now + wait,
            expires_at=None if life is None else self.store.now + life,
        )
        assert self.store.enqueue(order, 60).acceptance is Acceptance.ACCEPTED
        assert self.store.enqueue(order, 60).acceptance is Acceptance.KNOWN
        self.add(order.id, Known(location, record))

    @rule(location=st.sampled_from(LOCATIONS))
    def enqueue_some(self, location: str) -> None:
        """One new job for each record, to be sent at once."""
        for record in RECORDS:
            self.enqueue(location, record, None, None)

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
            assert job.attempt == known.attempt + 1
            in_flight = [other for other in self.jobs.values() if other.leased]
            assert (known.location, known.record) not in {(other.location, other.record) for other in in_flight}
            known.state, known.attempt, known.leased, known.lost = State.IN_FLIGHT, job.attempt, True, False
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
                    assert job.expires_at is not None
                    assert job.expires_at <= self.store.now
                    self.end(job_id, State.EXPIRED)

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
        outcome=st.sampled_from(("deliver", "deliver", "retry", "throttle", "bury", "unauthorized")),
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
            if expected == "delivered":
                self.end(job.id, State.DELIVERED)
        elif outcome == "retry":
            result = self.store.retry(report, delay=7, take=following)
            expected = "retried" if current else "stale"
            known.state = State.PENDING if current else known.state
        elif outcome == "throttle":
            result = self.store.throttle(report, wait=3, take=following)
            expected = "throttled" if current else "stale"
            known.state = State.PENDING if current else known.state
        else:
            hold = "no" if outcome == "unauthorized" else ""
            result = self.store.bury(report, reason="refused", hold=hold, take=following)
            expected = "buried" if current else "stale"
            if current:
                self.end(job.id, State.DEAD)
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
                known.state, known.lost = State.PENDING, True
                if reclaimed[job_id].buried:
                    self.end(job_id, State.DEAD)
            if over:
                known.leased = False

    @rule()
    def expire(self) -> None:
        """Jobs that are too old leave."""
        for job_id in self.store.expire(100):
            assert self.jobs[job_id].state is State.PENDING
            self.end(job_id, State.EXPIRED)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """A service takes any job back."""
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        known = self.jobs[job_id]
        answer = self.store.cancel(job_id, 10**6)
        assert answer == ("cancelled" if known.state is State.PENDING else known.state.value)
        if known.state is State.PENDING:
            self.end(job_id, State.CANCELLED)

    def queue(self, known: Known) -> list[str]:
        """The jobs of a record, in order."""
        client: Any = self.store.client
        head = client.hget(self.store.key("heads", known.location), known.record)
        behind = client.lrange(self.store.key("behind", known.location, known.record), 0, -1)
        return [job_id.decode() for job_id in [*([head] if head else []), *behind]]

    @precondition(lambda self: any(known.died for known in self.jobs.values()))
    @rule(data=st.data(), even=st.sampled_from((False, False, True)))
    def replay(self, data: st.DataObject, even: bool) -> None:
        """A person sends a letter again: before what is newer, unless that may be delivered."""
        job_id = data.draw(st.sampled_from(sorted(job_id for job_id, known in self.jobs.items() if known.died)))
        known = self.jobs[job_id]
        queue = self.queue(known)
        newer = [other for other in queue if self.jobs[other].place > known.place]
        delivered = self.newest.get((known.location, known.record))
        moved = replay(self.store, [job_id], even_if_newer=even)[0]
        if known.state not in (State.DEAD, State.EXPIRED):
            assert moved == Moved(job_id, known.state.value)
        elif not even and delivered and self.jobs[delivered].place > known.place:
            assert moved == Moved(job_id, "overtaken", delivered)
        elif not even and newer and (self.jobs[newer[0]].state is not State.PENDING or self.jobs[newer[0]].lost):
            assert moved == Moved(job_id, "overtaken", newer[0])
        else:
            assert moved == Moved(job_id, "replayed")
            known.state = State.PENDING
            at = queue.index(newer[0]) if newer and not even else len(queue)
            assert self.queue(known) == [*queue[:at], job_id, *queue[at:]]

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), seen=st.booleans())
    def purge(self, data: st.DataObject, seen: bool) -> None:
        """A person gives any job up."""
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        known, job = self.jobs[job_id], self.store.job(job_id)
        assert job is not None
        if seen and known.state in (State.DEAD, State.EXPIRED):
            assert self.store.purge(job_id, 10**6, 1.0) == "changed"
        last_change = max(job.ended_at or 0, job.edited_at or 0) if seen else None
        answer = self.store.purge(job_id, 10**6, last_change)
        dead = known.state in (State.DEAD, State.EXPIRED)
        assert answer == ("purged" if dead else known.state.value)
        if dead:
            self.end(job_id, State.CANCELLED)
            known.purged = True

    @precondition(lambda self: any(known.died for known in self.jobs.values()))
    @rule(data=st.data())
    def edit(self, data: st.DataObject) -> None:
        """A person edits a letter, twice with the same idea of what stands there."""
        job_id = data.draw(st.sampled_from(sorted(job_id for job_id, known in self.jobs.items() if known.died)))
        known = self.jobs[job_id]
        body: Any = self.store.client.get(self.store.key("body", job_id))
        order = Order(job_id, known.location, known.record, b'{"edited":%d}' % data.draw(st.integers(0, 10**9)))
        elsewhere = replace(order, record="pipe/nobody")
        dead = known.state in (State.DEAD, State.EXPIRED)
        assert self.store.edit(job_id, body, elsewhere) == ("elsewhere" if dead else known.state.value)
        assert self.store.edit(job_id, body, order) == ("edited" if dead else known.state.value)
        if dead and body != order.body:
            assert self.store.edit(job_id, body, order) == "changed"
            job = self.store.job(job_id)
            assert job is not None
            assert job.body == json.loads(order.body)
            assert job.original == {"n": int(job_id.removeprefix("job"))}

    @rule(data=st.data(), reason=st.sampled_from(("refused", "expired")), anew=st.booleans())
    def restore(self, data: st.DataObject, reason: str, anew: bool) -> None:
        """A letter of an export comes back, or any job is taken for one; the second time changes nothing."""
        state = State.EXPIRED if reason == "expired" else State.DEAD
        if anew or not self.jobs:
            order = self.orders(data.draw(st.sampled_from(LOCATIONS)), data.draw(st.sampled_from(RECORDS)))
            self.add(order.id, Known(order.location_id, order.record, State.CANCELLED, purged=True))
        else:
            job_id = data.draw(st.sampled_from(sorted(self.jobs)))
            known = self.jobs[job_id]
            order = Order(job_id, known.location, known.record, b'{"n":%d}' % int(job_id.removeprefix("job")))
        known = self.jobs[order.id]
        attempts = tuple(Attempt(number, "refused", 1.0, 2.0) for number in range(1, known.attempt + 1))
        letter = Letter(order, Reason(reason), self.store.now, self.store.now, attempts)
        back = known.state is State.CANCELLED and known.purged
        assert self.store.restore(letter) == ("restored" if back else known.state.value)
        if back:
            self.end(order.id, state)
            known.purged = False
            assert self.store.restore(letter) == state.value

    @rule(location=st.sampled_from(LOCATIONS), stop=st.booleans())
    def hold(self, location: str, stop: bool) -> None:
        """An operator stops a lane or lets it go on."""
        if stop:
            self.store.hold(location, "to look at it", "operator")
        else:
            self.store.resume(location)

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
    def letters_are_known(self) -> None:
        """Which records have jobs that died and are not done with, and what of these was delivered as the newest."""
        client: Any = self.store.client
        mourning = self.mourning()
        for location in LOCATIONS:
            kept = client.hgetall(self.store.key("letters", location))
            expected = {record: number for (place, record), number in mourning.items() if place == location}
            assert {record.decode(): int(number) for record, number in kept.items()} == expected
            newest = client.hgetall(self.store.key("newest", location))
            noted = {record: job_id for (place, record), job_id in self.newest.items() if place == location}
            assert {record.decode(): note.split()[2].decode() for record, note in newest.items()} == noted

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
