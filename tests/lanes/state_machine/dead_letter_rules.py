"""The rules of the state machine about dead letters: what people do with them, and what must be known of them."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lanes.dead_letters.operations import replay
from lanes.queue.dead_letter import ActionResult, DeadLetter
from lanes.queue.job import Attempt, Reason, State
from lanes.queue.new_job import NewJob
from tests.lanes.conftest import ClockedStore, Orders

LOCATIONS = ("red", "blue")
RECORDS = ("pipe/a", "pipe/b", "pipe/c")


@dataclass
class ModelJob:
    """What the model knows of a job."""

    location: str
    record: str
    state: State = State.PENDING
    attempt: int = 0
    leased: bool = False
    lease_ends: float = 0
    position: int = 0
    failed: bool = False
    purged: bool = False
    lost: bool = False
    expires_at: float = float("inf")
    held_before: float = 0
    expires_while_held: bool = False
    replayed_at: float = 0
    unnamed: bool = False
    service: str | None = None
    ends: int = 0
    counted: bool = False


def position_of(job_id: str) -> int:
    """Return the place of a job in the order of acceptance."""
    return int(job_id.removeprefix("job"))


class DeadLetterRules(RuleBasedStateMachine):
    """The model of the jobs, and the rules for those that died."""

    store: ClockedStore
    orders: Orders
    jobs: dict[str, ModelJob]
    newest: dict[tuple[str, str], str]
    outcomes: list[tuple[str, int, str]]

    def add(self, job_id: str, model: ModelJob) -> None:
        """A new job, younger than all others."""
        model.position = position_of(job_id)
        self.jobs[job_id] = model

    def end(self, job_id: str, state: State) -> None:
        """The job is done with, or died: its service is told, and what is known of its record changes."""
        model = self.jobs[job_id]
        if self.is_told(model):
            model.ends += 1
            self.outcomes.append((job_id, model.ends, state.value))
        self.enter(job_id, state)

    def is_told(self, model: ModelJob) -> bool:
        """Return whether a service is told of an end of this job."""
        raise NotImplementedError

    def enter(self, job_id: str, state: State) -> None:
        """The job is done with, or a dead letter."""
        model = self.jobs[job_id]
        model.state = state
        record = (model.location, model.record)
        if state in (State.DEAD, State.EXPIRED):
            model.failed = True
            return
        model.failed = False
        if record not in self.failed_by_record():
            self.newest.pop(record, None)
        elif state is State.DELIVERED:
            other = self.newest.get(record)
            if other is None or position_of(other) < model.position:
                self.newest[record] = job_id

    def failed_by_record(self) -> dict[tuple[str, str], int]:
        """How many jobs of each record died at some time and are not done with."""
        return Counter((model.location, model.record) for model in self.jobs.values() if model.failed)

    def queue(self, model: ModelJob) -> list[str]:
        """The jobs of a record, in order."""
        client: Any = self.store.client
        head = client.hget(self.store.key("active", model.location), model.record)
        behind = client.lrange(self.store.key("blocked", model.location, model.record), 0, -1)
        return [job_id.decode() for job_id in [*([head] if head else []), *behind]]

    @precondition(lambda self: any(model.failed for model in self.jobs.values()))
    @rule(data=st.data(), even=st.sampled_from((False, False, True)), dry_run=st.booleans())
    def replay(self, data: st.DataObject, even: bool, dry_run: bool) -> None:
        """A person replays a dead letter, before newer jobs unless those may be delivered; or runs it dry."""
        job_id = data.draw(st.sampled_from(sorted(job_id for job_id, model in self.jobs.items() if model.failed)))
        model = self.jobs[job_id]
        queue = self.queue(model)
        newer = [other for other in queue if self.jobs[other].position > model.position]
        delivered = self.newest.get((model.location, model.record))
        job = self.store.job(job_id)
        moved = replay(self.store, [job_id], force=even, dry_run=dry_run)[0]
        assert job is not None
        assert moved.unconfirmed == (job.reason == Reason.UNCONFIRMED and model.state is State.DEAD)
        moved = replace(moved, unconfirmed=False)
        if model.state not in (State.DEAD, State.EXPIRED):
            assert moved == ActionResult(job_id, model.state.value)
        elif not even and delivered and position_of(delivered) > model.position:
            assert moved == ActionResult(job_id, "superseded", delivered)
        elif not even and newer and (self.jobs[newer[0]].state is not State.PENDING or self.jobs[newer[0]].lost):
            assert moved == ActionResult(job_id, "superseded", newer[0])
        else:
            assert moved == ActionResult(job_id, "replayed")
            if dry_run:
                return
            model.state, model.expires_at = State.PENDING, float("inf")
            model.replayed_at = self.store.now
            at = queue.index(newer[0]) if newer and not even else len(queue)
            assert self.queue(model) == [*queue[:at], job_id, *queue[at:]]

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), seen=st.booleans())
    def purge(self, data: st.DataObject, seen: bool) -> None:
        """A person gives any job up."""
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        model, job = self.jobs[job_id], self.store.job(job_id)
        assert job is not None
        if seen and model.state in (State.DEAD, State.EXPIRED):
            assert self.store.purge(job_id, 10**6, 1.0) == "changed"
        last_change = max(job.ended_at or 0, job.edited_at or 0) if seen else None
        answer = self.store.purge(job_id, 10**6, last_change)
        dead = model.state in (State.DEAD, State.EXPIRED)
        assert answer == ("purged" if dead else model.state.value)
        if dead:
            self.end(job_id, State.CANCELLED)
            model.purged = True

    @precondition(lambda self: any(model.failed for model in self.jobs.values()))
    @rule(data=st.data())
    def edit(self, data: st.DataObject) -> None:
        """A person edits a dead letter, twice from the same version."""
        job_id = data.draw(st.sampled_from(sorted(job_id for job_id, model in self.jobs.items() if model.failed)))
        model = self.jobs[job_id]
        body: Any = self.store.client.get(self.store.key("body", job_id))
        order = NewJob(job_id, model.location, model.record, b'{"edited":%d}' % data.draw(st.integers(0, 10**9)))
        elsewhere = replace(order, record="pipe/nobody")
        dead = model.state in (State.DEAD, State.EXPIRED)
        assert self.store.edit(job_id, body, elsewhere) == ("elsewhere" if dead else model.state.value)
        assert self.store.edit(job_id, body, order) == ("edited" if dead else model.state.value)
        if dead and body != order.body:
            assert self.store.edit(job_id, body, order) == "changed"
            job = self.store.job(job_id)
            assert job is not None
            assert job.body == json.loads(order.body)
            assert job.original == {"n": int(job_id.removeprefix("job"))}

    @rule(data=st.data(), reason=st.sampled_from(("refused", "expired")), new=st.booleans())
    def restore(self, data: st.DataObject, reason: str, new: bool) -> None:
        """An exported dead letter is restored, or any other job; the second time changes nothing."""
        state = State.EXPIRED if reason == "expired" else State.DEAD
        if new or not self.jobs:
            order = self.orders(data.draw(st.sampled_from(LOCATIONS)), data.draw(st.sampled_from(RECORDS)))
            self.add(order.id, ModelJob(order.location_id, order.record, State.CANCELLED, purged=True))
        else:
            job_id = data.draw(st.sampled_from(sorted(self.jobs)))
            model = self.jobs[job_id]
            order = NewJob(job_id, model.location, model.record, b'{"n":%d}' % int(job_id.removeprefix("job")))
        model = self.jobs[order.id]
        attempts = tuple(Attempt(number, "refused", 1.0, 2.0) for number in range(1, model.attempt + 1))
        dead_letter = DeadLetter(order, Reason(reason), self.store.now, self.store.now, attempts)
        back = model.state is State.CANCELLED and model.purged
        assert self.store.restore(dead_letter) == ("restored" if back else model.state.value)
        if back:  # which is no end
            self.enter(order.id, state)
            model.purged = model.unnamed = False  # a row that names no version is of the default one
            assert self.store.restore(dead_letter) == state.value

    @invariant()
    def dead_letters_match(self) -> None:
        """Which records have jobs that died and are not done with, and what of these was delivered as the newest."""
        client: Any = self.store.client
        failed_by_record = self.failed_by_record()
        for location in LOCATIONS:
            kept = client.hgetall(self.store.key("dead_letter_counts", location))
            expected = {
                record: number for (position, record), number in failed_by_record.items() if position == location
            }
            assert {record.decode(): int(number) for record, number in kept.items()} == expected
            newest = client.hgetall(self.store.key("newest_delivered", location))
            noted = {record: job_id for (position, record), job_id in self.newest.items() if position == location}
            assert {record.decode(): note.split()[2].decode() for record, note in newest.items()} == noted
