"""The rules of the state machine about dead letters: what people do with them, and what must be known of them."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lanes.job import Attempt, Reason, State
from lanes.letter import Letter, Moved
from lanes.letters import replay
from lanes.order import Order
from tests.lanes.conftest import ClockedStore, Orders

LOCATIONS = ("red", "blue")
RECORDS = ("pipe/a", "pipe/b", "pipe/c")


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
    expires_at: float = float("inf")
    held_before: float = 0
    expires_while_held: bool = False
    replayed_at: float = 0
    unnamed: bool = False


class LetterRules(RuleBasedStateMachine):
    """The model of the jobs, and the rules for those that died."""

    store: ClockedStore
    orders: Orders
    jobs: dict[str, Known]
    newest: dict[tuple[str, str], str]

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

    def queue(self, known: Known) -> list[str]:
        """The jobs of a record, in order."""
        client: Any = self.store.client
        head = client.hget(self.store.key("heads", known.location), known.record)
        behind = client.lrange(self.store.key("behind", known.location, known.record), 0, -1)
        return [job_id.decode() for job_id in [*([head] if head else []), *behind]]

    @precondition(lambda self: any(known.died for known in self.jobs.values()))
    @rule(data=st.data(), even=st.sampled_from((False, False, True)), rehearsal=st.booleans())
    def replay(self, data: st.DataObject, even: bool, rehearsal: bool) -> None:
        """A person sends a letter again: before what is newer, unless that may be delivered; or asks what would be."""
        job_id = data.draw(st.sampled_from(sorted(job_id for job_id, known in self.jobs.items() if known.died)))
        known = self.jobs[job_id]
        queue = self.queue(known)
        newer = [other for other in queue if self.jobs[other].place > known.place]
        delivered = self.newest.get((known.location, known.record))
        job = self.store.job(job_id)
        moved = replay(self.store, [job_id], even_if_newer=even, rehearsal=rehearsal)[0]
        assert job is not None
        assert moved.unconfirmed == (job.reason == Reason.UNCONFIRMED and known.state is State.DEAD)
        moved = replace(moved, unconfirmed=False)
        if known.state not in (State.DEAD, State.EXPIRED):
            assert moved == Moved(job_id, known.state.value)
        elif not even and delivered and self.jobs[delivered].place > known.place:
            assert moved == Moved(job_id, "overtaken", delivered)
        elif not even and newer and (self.jobs[newer[0]].state is not State.PENDING or self.jobs[newer[0]].lost):
            assert moved == Moved(job_id, "overtaken", newer[0])
        else:
            assert moved == Moved(job_id, "replayed")
            if rehearsal:
                return
            known.state, known.expires_at = State.PENDING, float("inf")
            known.replayed_at = self.store.now
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
            known.purged = known.unnamed = False  # a row that names no version is of the default one
            assert self.store.restore(letter) == state.value

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
