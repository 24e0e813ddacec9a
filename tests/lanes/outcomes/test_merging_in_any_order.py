"""Jobs of one record are merged, sent, refused, replayed, purged and cancelled in any order: each end is told once."""

from collections import Counter, defaultdict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanes.dead_letters.operations import replay
from lanes.queue.job import State
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from tests.lanes.conftest import START, ClockedStore
from tests.lanes.outcomes.conftest import outcomes_in
from tests.lanes.scripts.test_merging import upsert
from tests.lanes.whole_state import KEPT, KNOWN, LIMITS, make_consumer

STEPS = ("enqueue", "merge", "older", "deliver", "bury", "late", "replay", "purge", "cancel")
# Two services are told, one was added without outcomes, and one job is of none.
SERVICES = ("crm", "web", "quiet", None)
TOLD = ("crm", "web")


class Model:
    """The store, and what its services must have been told: service, job, end and state."""

    def __init__(self, store: ClockedStore) -> None:
        self.store = store
        self.expected: Counter[tuple[str, str, int, str]] = Counter()
        self.ends: Counter[str] = Counter()
        self.service: dict[str, str | None] = {}
        self.carried: dict[str, list[str]] = defaultdict(list)
        self.sent: list[Released] = []

    def enqueue(self, step: str, service: str | None) -> None:
        """A new job: behind the others, merged into the newest, or with an event that all others are newer than."""
        job_id, number = f"job{len(self.service)}", len(self.service)
        at = None if step == "enqueue" else START + number if step == "merge" else START - 1000 + number
        new = upsert(job_id, {"status": "open"}, merge=step == "merge", event_time=at, service=service)
        self.store.enqueue(new, KNOWN)
        self.service[job_id] = service
        target = self._target(job_id)
        if target is not None:
            self.carried[target].append(job_id)
            state = self._state(target)
            if state.final:
                self.ends[target] = max(1, self.ends[target])
                self._expect(job_id, 1 if state is State.DELIVERED else self.ends[target], state)

    def _target(self, job_id: str) -> str | None:
        job = self.store.job(job_id)
        assert job is not None
        return job.merged_into

    def _state(self, job_id: str) -> State:
        job = self.store.job(job_id)
        assert job is not None
        return job.state

    def _expect(self, job_id: str, end: int, state: State) -> None:
        if self.service[job_id] in TOLD:
            self.expected[str(self.service[job_id]), job_id, end, state.value] += 1

    def ended(self, job_id: str) -> None:
        """The job has a new final state. Ends are counted if a service might be told of them."""
        if self.service[job_id] not in TOLD and not self.carried[job_id]:
            return
        self.ends[job_id] += 1
        for each in (job_id, *self.carried[job_id]):
            self._expect(each, self.ends[job_id], self._state(job_id))

    def send(self, step: str) -> None:
        """The next job goes out, and is delivered or refused."""
        job = self.store.release(make_consumer()).next
        if isinstance(job, Released):
            self.sent.append(job)
            report = AttemptReport(job.id, job.attempt, '{"status":200}', LIMITS)
            if step == "deliver":
                self.store.deliver(report, retention=KEPT)
            else:
                self.store.bury(report, reason="refused")
            self.ended(job.id)
        self.store.pass_time(11)

    def late(self) -> None:
        """The last request that was refused was taken after all."""
        if self.sent and self._state(self.sent[-1].id) is not State.DELIVERED:
            job = self.sent[-1]
            report = AttemptReport(job.id, job.attempt, '{"status":200}', LIMITS)
            assert self.store.deliver(report, retention=KEPT).code == "delivered"
            self.ended(job.id)

    def on_a_job(self, step: str) -> None:
        """A person, or the service, acts on each job."""
        for job_id in list(self.service):
            pending = self._state(job_id) is State.PENDING and self._target(job_id) is None
            if step == "replay":
                replay(self.store, [job_id], force=True)
                continue
            purged = step == "purge" and self.store.purge(job_id, KEPT) == "purged"
            if purged or (step == "cancel" and pending and self.store.cancel(job_id, KEPT) == "cancelled"):
                self.ended(job_id)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(SERVICES)), min_size=4, max_size=24))
def test_each_end_is_told_once(store: ClockedStore, steps: list[tuple[str, str | None]]) -> None:
    store.client.flushall()
    store.pass_time(0)
    services = ServiceStore(store)
    for name in ("crm", "web", "quiet"):
        services.add(Service(name, outcomes=name != "quiet"))
    model = Model(store)
    for step, service in steps:
        if step in ("enqueue", "merge", "older"):
            model.enqueue(step, service)
        elif step in ("deliver", "bury"):
            model.send(step)
        elif step == "late":
            model.late()
        else:
            model.on_a_job(step)
    found = Counter(
        (name, outcome.job_id, outcome.end, outcome.state.value)
        for name in TOLD
        for outcome in outcomes_in(store, name)
    )
    assert found == model.expected
    assert outcomes_in(store, "quiet") == []
