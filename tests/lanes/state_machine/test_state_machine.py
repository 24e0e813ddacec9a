"""All transitions in any order, with stale and repeated calls, on a real Redis in virtual time.

After each step `lanes check` must find nothing, and a plain model must agree on the state of every job, on
the order of deliveries per record, and on the limit in any window.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lanes.queue.job import State
from lanes.queue.new_job import EnqueueStatus
from lanes.queue.results import Released, Result
from lanes.queue.transitions import AttemptReport, Consumer, RateLimitInfo
from lanes.versions import DEFAULT_VERSION
from ops.embedded.redis_server import RedisServer
from tests.lanes.conftest import BURST, LIMITS, ClockedStore, Orders
from tests.lanes.state_machine.brake_rules import BrakeRules
from tests.lanes.state_machine.dead_letter_rules import LOCATIONS, RECORDS, ModelJob
from tests.lanes.state_machine.ending_rules import KEPT
from tests.lanes.state_machine.failure_rules import MAX_FAILURES, FailureRules
from tests.lanes.state_machine.invariants import Invariants
from tests.lanes.state_machine.service_rules import NAME, ServiceRules
from tests.lanes.state_machine.serving_rules import WORKERS
from tests.redis_programs import redis_program

OUTCOMES = (
    *("deliver", "deliver", "retry", "fail", "fail", "doubt", "throttle", "requeue", "unsent"),
    *("bury", "unauthorized", "no_token", "refuse", "refuse"),
)
UNSENT = ("unsent", "no_token")
SILENT = (*UNSENT, "fail", "doubt")  # nothing was reported about the limits
# What the API says of its limit, which may be lower than what a person set, and higher.
HIGH = RateLimitInfo(burst=300)
RATE_LIMIT_INFOS = (None, HIGH, RateLimitInfo(burst=1), HIGH, RateLimitInfo(), RateLimitInfo(burst=2), HIGH)


@dataclass(frozen=True)
class Sent:
    """A request that a worker made, reported or not, at most one for each worker at a time."""

    worker: str
    job: Released


class LanesMachine(FailureRules, BrakeRules, ServiceRules, Invariants):
    """The rules are the store's methods."""

    @initialize()
    def begin(self) -> None:
        """An empty Redis."""
        self.store.client.flushall()
        self.store.pass_time(0)
        self.orders = Orders()
        self.jobs: dict[str, ModelJob] = {}
        self.sent: list[Sent] = []
        self.busy: dict[str, Released] = {}
        self.charged: dict[str, dict[tuple[str, int], tuple[float, float]]] = defaultdict(dict)
        self.newest: dict[tuple[str, str], str] = {}
        self.outcomes: list[tuple[str, int, str]] = []
        self.held: dict[str, set[str]] = {location: set() for location in LOCATIONS}
        self.versions: dict[str, int] = dict.fromkeys(LOCATIONS, 0)
        self.refused: dict[str, int] = {}
        self.went_with: dict[tuple[str, int], int] = {}
        self.all_held = False
        self.refusals: dict[str, int] = dict.fromkeys(LOCATIONS, 0)
        self.braked: dict[str, float] = {}
        self.held_for: dict[str, float] = dict.fromkeys(LOCATIONS, 0.0)
        self.unservable = {}
        self.set_quota(5, 3)
        self.forgotten, self.highest = Counter(), {}

    @rule(
        location=st.sampled_from(LOCATIONS),
        record=st.sampled_from(RECORDS),
        wait=st.sampled_from((None, 5.0, 40.0)),
        life=st.sampled_from((None, 20.0)),
        strict=st.booleans(),
        unnamed=st.booleans(),
        of_service=st.booleans(),
    )
    def enqueue(
        self,
        location: str,
        record: str,
        wait: float | None,
        life: float | None,
        *,
        strict: bool,
        unnamed: bool,
        of_service: bool,
    ) -> None:
        """A new job, of the service unless that is over a quota; the same call again changes nothing."""
        service = NAME if of_service and not self.is_over() else None
        order = self.orders(
            location,
            record,
            not_before=None if wait is None else self.store.now + wait,
            expires_at=None if life is None else self.store.now + life,
            expires_while_held=strict,
            version="v3" if unnamed else DEFAULT_VERSION,
            service=service,
        )
        assert self.store.enqueue(order, 60).status is EnqueueStatus.ACCEPTED
        assert self.store.enqueue(order, 60).status is EnqueueStatus.KNOWN
        model = ModelJob(location, record, held_before=self.held_for[location], expires_while_held=strict)
        model.unnamed, model.service = unnamed, service
        model.counted = service is not None and self.counts_jobs()
        if order.expires_at is not None:
            model.expires_at = order.expires_at
        self.add(order.id, model)

    @rule(location=st.sampled_from(LOCATIONS))
    def enqueue_some(self, location: str) -> None:
        """One new job for each record, to be sent at once."""
        for record in RECORDS:
            more = {"unnamed": record == RECORDS[-1], "of_service": record != RECORDS[1]}
            self.enqueue(location, record, None, None, strict=False, **more)

    def released(self, worker: str, result: Result) -> None:
        """Note what a call released."""
        job = result.next
        if not isinstance(job, Released):
            self.busy.pop(worker, None)
            self.note_expired()
            return
        model = self.jobs[job.id]
        if self.busy.get(worker) != job:
            self.note_expired()
            assert model.state is State.PENDING
            assert not self.held[model.location]
            assert model.location not in self.unservable.get(worker, ())
            assert not self.all_held
            assert not self.over(model)
            assert job.attempt == model.attempt + 1
            in_flight = [other for other in self.jobs.values() if other.leased]
            assert (model.location, model.record) not in {(other.location, other.record) for other in in_flight}
            model.state, model.attempt, model.leased, model.lost = State.IN_FLIGHT, job.attempt, True, False
        model.lease_ends = self.store.now + 30  # a whole one for what was given before, too
        first = (job.id, job.attempt) not in self.charged[job.location_id]
        self.charged[job.location_id][job.id, job.attempt] = job.released_at, model.lease_ends
        self.went_with[job.id, job.attempt] = self.versions[job.location_id]
        if first:
            self.check_limit(job.location_id)
        self.busy[worker] = job
        self.sent.append(Sent(worker, job))

    def check_limit(self, location: str) -> None:
        """A request is sent only if the limit in force allows it, whatever the API reported last."""
        [lane] = [lane for lane in self.store.lanes() if lane.location_id == location]
        ends = [end for _, end in self.charged[location].values() if end > self.store.now - LIMITS.window]
        assert len(ends) <= lane.burst_in_force(BURST).requests

    @rule(worker=st.sampled_from(WORKERS))
    def release(self, worker: str) -> None:
        """A worker asks for a job; if it has one that it never reported on, it gets that one."""
        self.released(worker, self.store.release(self.consumer(worker)))

    @rule()
    def release_all(self) -> None:
        """Every worker asks."""
        for worker in WORKERS:
            self.release(worker)

    @rule(data=st.data(), location=st.sampled_from(LOCATIONS))
    def work(self, data: st.DataObject, location: str) -> None:
        """With jobs enqueued, every worker asks and reports. Otherwise most steps would do nothing."""
        self.enqueue_some(location)
        self.pass_time(4.0)
        self.release_all()
        for worker, job in list(self.busy.items()):
            self.send_report(
                Sent(worker, job), data.draw(st.sampled_from(OUTCOMES)), release_for=data.draw(st.booleans())
            )

    @rule(data=st.data(), location=st.sampled_from(LOCATIONS))
    def lose_reports(self, data: st.DataObject, location: str) -> None:
        """Every worker does; what they had comes back and goes out again, and only then some of them report."""
        self.enqueue_some(location)
        self.release_all()
        self.pass_time(31.0)
        self.reclaim()
        self.release_all()
        for sent in self.outdated()[-2:]:
            self.send_report(sent, data.draw(st.sampled_from(OUTCOMES)), release_for=False)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES), release_for=st.booleans())
    def report(self, data: st.DataObject, outcome: str, release_for: bool) -> None:
        """Any earlier attempt reports, perhaps again, perhaps long after its lease."""
        self.send_report(data.draw(st.sampled_from(self.sent)), outcome, release_for=release_for)

    def outdated(self) -> list[Sent]:
        """The attempts of jobs that are in flight with a newer attempt."""
        jobs = self.jobs
        return [sent for sent in self.sent if (job := jobs[sent.job.id]).leased and job.attempt > sent.job.attempt]

    def send_report(self, sent: Sent, outcome: str, *, release_for: bool) -> None:
        """Report an attempt, and perhaps take the next job in the same call."""
        job, model = sent.job, self.jobs[sent.job.id]
        free = self.busy.get(sent.worker) in (None, job)
        following = self.consumer(sent.worker) if release_for and free else None
        current = model.state is State.IN_FLIGHT and model.attempt == job.attempt
        leased = model.leased and model.attempt == job.attempt
        self.answered(job, sent=outcome not in UNSENT or not current)
        rate_limits = (
            None if outcome in SILENT else RATE_LIMIT_INFOS[(job.attempt + len(self.sent)) % len(RATE_LIMIT_INFOS)]
        )
        if outcome == "unauthorized" and rate_limits is None:
            rate_limits = RateLimitInfo()  # a request was made
        report = AttemptReport(job.id, job.attempt, "{}", LIMITS, rate_limits)
        if outcome == "deliver":
            result = self.store.deliver(report, retention=10**6, release_for=following)
            expected = "stale" if model.state is State.DELIVERED else "delivered"
            self.delivered(model)
            if expected == "delivered":
                self.end(job.id, State.DELIVERED)
        elif outcome in ("fail", "doubt"):
            doubt = outcome == "doubt"
            result, expected = self.fail(report, model, following, current=current, doubt=doubt)
        elif outcome in ("unauthorized", "no_token"):
            result, expected = self.unauthorized(report, model, following, current=current)
        elif outcome in ("bury", "refuse"):
            result, expected = self.bury(job, report, outcome, following, current=current)
        else:
            result, done = self.come_back(report, outcome, following)
            expected = done if current else "stale"
            model.state = State.PENDING if current else model.state
        assert result.code == expected
        if leased:
            model.leased = False
        if self.busy.get(sent.worker) == job:
            del self.busy[sent.worker]
        if following is not None:
            self.released(sent.worker, result)

    def unauthorized(
        self, report: AttemptReport, model: ModelJob, following: Consumer | None, *, current: bool
    ) -> tuple[Result, str]:
        """The credential was refused: the first job fails permanently, any other is pending again."""
        version = self.went_with[report.job_id, report.attempt]
        result = self.store.bury(report, reason="unauthorized", hold="no", token_version=version, release_for=following)
        if not current:
            return result, "stale"
        if self.refuse(model.location, version):
            self.end(report.job_id, State.DEAD)
            return result, "buried"
        model.state = State.PENDING
        return result, "requeued"

    def answered(self, job: Released, *, sent: bool) -> None:
        """The request of a job counts until now; one that was never made does not count."""
        window, request = self.charged[job.location_id], (job.id, job.attempt)
        if not sent:
            window.pop(request, None)
        elif request in window:
            at, end = window[request]
            window[request] = at, min(end, self.store.now)

    @rule(seconds=st.sampled_from((0.5, 4.0, 11.0, 31.0, 90000.0)))
    def pass_time(self, seconds: float) -> None:
        """Time passes; consumers are forgotten when their leases end."""
        self.note_held(seconds)
        self.store.pass_time(seconds)
        for worker, job in list(self.busy.items()):
            if self.jobs[job.id].lease_ends <= self.store.now:
                del self.busy[worker]
                self.store.client.delete(self.store.key("consumer", worker))

    def pass_days(self) -> None:
        """So much time passes; then the jobs of silent workers come back."""
        self.pass_time(2 * KEPT)
        self.reclaim()

    def finish(self, location: str) -> None:
        """Each job of the location ends, and a person ends its hold and its brake."""
        for sent in [sent for sent in self.sent if sent.job.location_id == location]:
            model = self.jobs[sent.job.id]
            if model.leased and model.attempt == sent.job.attempt:
                self.send_report(sent, "deliver", release_for=False)
        for job_id, model in [(job_id, model) for job_id, model in self.jobs.items() if model.location == location]:
            if model.state is State.PENDING:
                self.store.cancel(job_id, KEPT)
                self.end(job_id, State.CANCELLED)
            elif model.state in (State.DEAD, State.EXPIRED):
                self.store.purge(job_id, KEPT)
                self.end(job_id, State.CANCELLED)
                model.purged = True
        self.hold(location, stop=False)
        self.end_brake(location, right=True)
        self.pass_time(61.0)  # its pauses and its rate window are over, its day is not

    def forget(self, job_id: str, model: ModelJob) -> None:
        """Its reports are of an unknown job from now on."""
        super().forget(job_id, model)
        self.sent = [sent for sent in self.sent if sent.job.id != job_id]

    @rule()
    def reclaim(self) -> None:
        """The jobs of silent workers come back, or fail permanently after too many failures."""
        reclaimed = {job.id: job for job in self.store.reclaim(100, MAX_FAILURES)}
        for job_id, model in self.jobs.items():
            over = model.leased and model.lease_ends <= self.store.now
            assert (job_id in reclaimed) == (over and model.state is State.IN_FLIGHT)
            if job_id in reclaimed:
                model.state, model.lost = State.PENDING, True
                assert reclaimed[job_id].buried or not model.unnamed
                if reclaimed[job_id].buried:
                    self.end(job_id, State.DEAD)
            if over:
                model.leased = False

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """A service takes any job back."""
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        model = self.jobs[job_id]
        answer = self.store.cancel(job_id, 10**6)
        assert answer == ("cancelled" if model.state is State.PENDING else model.state.value)
        if model.state is State.PENDING:
            self.end(job_id, State.CANCELLED)


EXAMPLES = {"valkey-9.1": 60, "redis-7.0": 15, "redis-6.2": 15}


@pytest.fixture(params=EXAMPLES)
def server_name(request: pytest.FixtureRequest) -> str:
    """The name of a server."""
    return str(request.param)


@pytest.fixture
def own_store(server_name: str, tmp_path: Path) -> Iterator[ClockedStore]:
    """A store on a server of this kind."""
    with RedisServer(tmp_path, program=redis_program(server_name)) as server:
        store = ClockedStore(server.url)
        yield store
        store.close()


def test_any_sequence_of_transitions_keeps_the_invariants(own_store: ClockedStore, server_name: str) -> None:
    """The machine on each server: what a script calls must mean the same on all."""
    LanesMachine.store = own_store
    run_state_machine_as_test(
        LanesMachine,
        settings=settings(
            max_examples=EXAMPLES[server_name],
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
