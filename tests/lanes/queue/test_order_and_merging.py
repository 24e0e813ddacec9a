"""Order per record and merging, against a simple model: one list of waiting upserts per record, and what the API has.

Requests fail, answers are lost, workers die, late reports come in; after each step what the API was sent is what the
model says, in its order.
"""

import json
from dataclasses import dataclass, field
from typing import Any

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

from lanes.checks.consistency import check_consistency
from lanes.dead_letters.operations import replay
from lanes.queue.dead_letter import ActionResult
from lanes.queue.job import State
from lanes.queue.new_job import EnqueueStatus, NewJob
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits
from tests.lanes.conftest import ClockedStore
from tests.lanes.queue.upserts import Group, identity

LIMITS = DefaultLimits(burst=10_000, window=10, daily=10**6)
RECORDS = ("a", "b")
FIELDS = ("name", "status", "monetaryValue")
LEASE = 30.0
# What a scanner of JSON could stumble over.
NASTY = '"}],{\\'


@dataclass
class Said:
    """The known events of a record: the time of each field, the newest event, and the job that holds it."""

    times: dict[str, float] = field(default_factory=dict)
    newest: float = 0.0
    job: str = ""


class OrderMachine(RuleBasedStateMachine):
    """The rules are what services and workers do."""

    store: ClockedStore

    @initialize()
    def begin(self) -> None:
        """An empty Redis."""
        self.store.client.flushall()
        self.store.pass_time(0)
        self.made = 0
        self.waiting: dict[str, list[Group]] = {record: [] for record in RECORDS}
        self.said: dict[str, Said] = {record: Said() for record in RECORDS}
        self.fate: dict[str, State] = {}
        self.merge_targets: dict[str, str] = {}
        self.dead: dict[str, Group] = {}
        self.dead_letter_indexed: dict[str, Group] = {}
        self.newest: dict[str, Group] = {}
        self.api: dict[str, dict[str, object]] = {record: {} for record in RECORDS}
        self.lost: list[Released] = []
        self.old: list[Released] = []

    # What services do.

    @rule(
        record=st.sampled_from(RECORDS),
        names=st.sets(st.sampled_from(FIELDS)),
        merge=st.booleans(),
        age=st.sampled_from((None, None, 0.0, 5.0, 50.0)),
        priority=st.sampled_from((0, 0, 0, 9)),
    )
    def enqueue(self, record: str, names: set[str], merge: bool, age: float | None, priority: int) -> None:
        """An upsert arrives, perhaps long after its event."""
        self.made += 1
        values: dict[str, object] = {
            name: self.made + 0.1234567890123 if name == "monetaryValue" else f"{name}{self.made}{NASTY}"
            for name in sorted(names)
        }
        body = json.dumps(identity(record) | values, separators=(",", ":")).encode()
        time = None if age is None else self.store.now - age
        order = NewJob(f"job{self.made}", "loc", record, body, priority=priority, merge=merge, event_time=time)
        assert self.store.enqueue(order, 3600).status is EnqueueStatus.ACCEPTED
        self.expect(order, values)

    def expect(self, order: NewJob, values: dict[str, Any]) -> None:
        """Do the same in the model."""
        said, time = self.said[order.record], order.event_time
        target: str | None = None
        if time is not None and said.job:
            values = {name: value for name, value in values.items() if said.times.get(name, 0) <= time}
            if not values and said.newest > time:
                target = said.job
        group = self.waiting[order.record][-1] if self.waiting[order.record] else None
        if target is None and order.merge and group is not None and not group.started:
            target = group.id
            for name, value in values.items():
                held = group.fields.get(name)
                if held is None or held[1] <= (time or self.store.now):
                    group.fields[name] = (value, time or self.store.now)
        if time is not None:
            said.times |= dict.fromkeys(values, time)
            if time >= said.newest:
                said.newest, said.job = time, target or order.id
        if target is None:
            at = time or self.store.now
            new = Group(order.id, order.record, at, {name: (value, at) for name, value in values.items()})
            self.waiting[order.record].append(new)
            self.fate[order.id] = State.PENDING
        else:
            self.merge_targets[order.id] = target
            groups = [*self.waiting[order.record], *self.dead.values()]
            next((group.merged for group in groups if group.id == target), []).append(order.id)

    # What workers do.

    def send(self) -> tuple[Released, Group] | None:
        """Release a job and send it: the API takes it, whatever becomes of the answer."""
        job = self.store.release(Consumer(f"consumer{len(self.old)}", LEASE, 3600, LIMITS)).next
        if not isinstance(job, Released):
            return None
        body = json.loads(job.body)
        group = self.waiting[body["contactId"]][0]
        assert job.id == group.id
        assert body == group.body
        assert job.merged_count == len(group.merged)
        assert self.fate[job.id] is State.PENDING
        group.started, group.lost = True, False
        self.fate[job.id] = State.IN_FLIGHT
        self.old.append(job)
        return job, group

    @rule(outcome=st.sampled_from(("deliver", "deliver", "retry", "bury")))
    def work(self, outcome: str) -> None:
        """A job is sent and reported."""
        sent = self.send()
        if sent is None:
            return
        job, group = sent
        report = AttemptReport(job.id, job.attempt, "{}", LIMITS)
        if outcome == "deliver":
            self.api[group.record] |= group.body
            assert self.store.deliver(report, retention=10**6).code == "delivered"
            self.end(group, State.DELIVERED)
        elif outcome == "retry":
            assert self.store.retry(report, delay=3).code == "retried"
            self.fate[job.id] = State.PENDING
        else:
            assert self.store.bury(report, reason="refused").code == "buried"
            self.end(group, State.DEAD)
            self.dead[job.id] = group

    def end(self, group: Group, fate: State) -> None:
        """A job is done with; the next of its record may go."""
        assert self.waiting[group.record].pop(0) is group
        self.fate[group.id] = fate
        if fate is State.DEAD:
            self.dead_letter_indexed[group.id] = group
        else:
            self.note_delivered(group)

    def note_delivered(self, group: Group) -> None:
        """While its record has jobs that died and are not done with, the newest that was delivered is known."""
        self.dead_letter_indexed.pop(group.id, None)
        if not any(other.record == group.record for other in self.dead_letter_indexed.values()):
            self.newest.pop(group.record, None)
        elif group.record not in self.newest or group.age > self.newest[group.record].age:
            self.newest[group.record] = group

    @rule(taken=st.booleans())
    def die(self, taken: bool) -> None:
        """A worker crashes between sending and reporting; the API may have the job."""
        sent = self.send()
        if sent is not None:
            job, group = sent
            self.lost.append(job)
            if taken:
                self.api[group.record] |= group.body

    @rule()
    def reclaim(self) -> None:
        """The leases of the dead end."""
        self.store.pass_time(LEASE + 1)
        assert {job.id for job in self.store.reclaim(100, 1000)} == {job.id for job in self.lost}
        for job in self.lost:
            self.fate[job.id] = State.PENDING
            self.waiting[json.loads(job.body)["contactId"]][0].lost = True
        self.lost.clear()

    @precondition(lambda self: self.old)
    @rule(data=st.data(), outcome=st.sampled_from(("retry", "bury", "deliver")))
    def report_late(self, data: st.DataObject, outcome: str) -> None:
        """An attempt that is long over reports: only its success may count, for a job that waits again."""
        job = data.draw(st.sampled_from(self.old))
        if self.fate[job.id] is State.IN_FLIGHT:
            return
        report = AttemptReport(job.id, job.attempt, "{}", LIMITS)
        if outcome == "retry":
            assert self.store.retry(report, delay=3).code == "stale"
        elif outcome == "bury":
            assert self.store.bury(report, reason="refused").code == "stale"
        elif self.fate[job.id] is State.PENDING:
            group = next(each for each in self.waiting[json.loads(job.body)["contactId"]] if each.id == job.id)
            assert self.store.deliver(report, retention=10**6).code == "delivered"
            self.waiting[group.record].remove(group)
            self.fate[group.id] = State.DELIVERED
            self.note_delivered(group)

    @precondition(lambda self: self.dead)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """A person sends a dead letter again: before all that is newer, unless some of that may be delivered."""
        dead_letter = self.dead[data.draw(st.sampled_from(sorted(self.dead)))]
        queue, newest = self.waiting[dead_letter.record], self.newest.get(dead_letter.record)
        at = next((at for at, other in enumerate(queue) if other.is_newer(dead_letter)), len(queue))
        moved = replay(self.store, [dead_letter.id])[0]
        if newest is not None and newest.is_newer(dead_letter):
            assert moved == ActionResult(dead_letter.id, "superseded", newest.id)
        elif at < len(queue) and (queue[at].lost or self.fate[queue[at].id] is State.IN_FLIGHT):
            assert moved == ActionResult(dead_letter.id, "superseded", queue[at].id)
        else:
            assert moved == ActionResult(dead_letter.id, "replayed")
            queue.insert(at, self.dead.pop(dead_letter.id))
            self.fate[dead_letter.id] = State.PENDING

    @rule(seconds=st.sampled_from((1.0, 4.0)))
    def pass_time(self, seconds: float) -> None:
        """Backoffs end; no lease does."""
        if not self.lost:
            self.store.pass_time(seconds)

    @invariant()
    def agree(self) -> None:
        """Every job is where the model has it, and a merged job has the state of its target."""
        assert list(check_consistency(self.store)) == []
        ids = [*self.fate, *self.merge_targets]
        for job_id, job in zip(ids, self.store.jobs(ids), strict=True):
            assert job is not None
            assert job.merged_into == self.merge_targets.get(job_id)
            assert job.state is self.fate[job.merged_into or job_id]
        counts = self.store.counts()
        assert counts["merged"] == len(self.merge_targets)
        assert counts["accepted"] == self.made
        assert counts["delivered"] == sum(fate is State.DELIVERED for fate in self.fate.values())

    def teardown(self) -> None:
        """Everything is delivered in the end; the API's last word of each record is the model's."""
        if not hasattr(self, "fate"):
            return
        self.reclaim()
        self.store.pass_time(10)
        while any(self.waiting.values()):
            self.work("deliver")
        self.agree()


def test_records_keep_their_order_and_merging_loses_nothing(store: ClockedStore) -> None:
    OrderMachine.store = store
    run_state_machine_as_test(
        OrderMachine,
        settings=settings(
            max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
