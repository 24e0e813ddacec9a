"""A run: rounds of faults, each with its recovery, and at the end the evidence of everything."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import redis

from lanes.checks.consistency import check_consistency
from lanes.errors import LanesError
from lanes.queue.job import State
from lanes.queue.store import LaneStore
from tests.chaos import journal
from tests.chaos.environment import LEASE, LIMIT, WINDOW, Environment, EnvironmentFailedError
from tests.chaos.evidence import Arrival, Evidence, Injected, NotTried
from tests.chaos.fault import Fault, NotInjectedError, wait
from tests.chaos.faults import Planned
from tests.chaos.outcomes import read_told
from tests.chaos.recovery import SAMPLE_SECONDS

CALM_SECONDS = 4.0  # before a round, so that there is a speed to come back to
# Generous: open requests return after a lease and a backoff; a worker restarts its consumer; the machine is busy.
RECOVERED_SECONDS = 60.0
DRAINED_SECONDS = 120.0
LIVE_SPEED = 0.7  # of the rate before; the report has the exact figures, from the sandbox
# A missing right, program, process or command of Redis.
CANNOT_INJECT = (NotInjectedError, PermissionError, FileNotFoundError, ProcessLookupError, redis.ResponseError)

LogLine = Callable[[str], None]


@dataclass(slots=True)
class Round:
    """Faults that were in force together, when they began and ended (monotonic), and when all was well again."""

    injected: list[Injected]
    began_at: float
    ended_at: float
    recovered_at: float | None


@dataclass(slots=True)
class Run:
    """A run in one environment. `log` gets a line for each step; `calm`: seconds between the rounds."""

    environment: Environment
    log: LogLine = print
    calm: float = CALM_SECONDS
    rounds: list[Round] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    not_tried: list[NotTried] = field(default_factory=list)
    _samples: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=400))

    def inject_faults(self, plan: Iterable[Sequence[Planned]], seconds: float) -> None:
        """Inject one round after another, until the plan or the time ends."""
        ends_at = time.monotonic() + seconds
        self.warm_up()
        for planned in plan:
            self.inject(planned)
            if time.monotonic() >= ends_at:
                return

    def warm_up(self) -> None:
        """Wait until every worker delivers, then run at usual speed for a while."""
        wait(lambda: self._all_at_work(since=0.0), "every worker to deliver")
        self._rest(self.calm)

    def inject(self, planned: Sequence[Planned]) -> None:
        """Inject and undo these faults; wait until the system is at full speed and every worker delivers."""
        self.log(" + ".join(map(str, planned)))
        before = min(self._rate(self.calm), self.environment.usual_rate)  # more is a backlog of the last fault
        began_at = time.monotonic()
        injected = self._do(planned, began_at)
        if not injected:
            return
        ended_at, ended_wall = time.monotonic(), time.time()
        self.environment.settle()
        settled = time.monotonic()
        recovered_at = self._recover(ended_wall, before)
        self.rounds.append(Round(injected, began_at, ended_at, recovered_at))
        if recovered_at is None:
            names = ", ".join(one.name for one in injected)
            idle = ", ".join(sorted(set(self.environment.workers) - self.environment.workers_at_work(ended_wall)))
            self.stuck.append(
                f"stuck: after {names} not at full speed within {RECOVERED_SECONDS:g} s; "
                f"workers without a delivery: {idle or 'none'}"
            )
        else:
            started = f"{settled - ended_at:.1f} s of starting workers"
            self.log(
                f"  recovered in {recovered_at - ended_at:.1f} s ({started}); {self.environment.delivered()} delivered"
            )
        self._rest(self.calm)

    def _do(self, planned: Sequence[Planned], began_at: float) -> list[Injected]:
        """Begin and end the faults of a round at their times; return those that could be injected."""
        acts: list[tuple[float, int, Fault]] = []
        for one in planned:
            fault = one.make()
            acts += [(one.after, 0, fault), (one.after + one.seconds, 1, fault)]
        began: dict[int, float] = {}
        injected: list[Injected] = []
        for at, is_end, fault in sorted(acts, key=lambda act: act[:2]):
            self._rest(began_at + at - time.monotonic())
            if not is_end:
                now = time.monotonic()
                try:
                    fault.begin(self.environment)
                except CANNOT_INJECT as error:
                    self.not_tried.append(NotTried(fault.name, f"{type(error).__name__}: {error}"))
                    self.log(f"  not tried: {fault.name}: {error}")
                else:
                    began[id(fault)] = now
            elif id(fault) in began:
                fault.end(self.environment)
                injected.append(fault.injected(began[id(fault)]))
        return injected

    def _recover(self, since: float, before: float) -> float | None:
        deadline = time.monotonic() + RECOVERED_SECONDS
        while time.monotonic() < deadline:
            self._sample()
            self.environment.supervise()
            if self._rate(SAMPLE_SECONDS) >= LIVE_SPEED * before and self._all_at_work(since):
                return time.monotonic()
            time.sleep(0.2)
        return None

    def _all_at_work(self, since: float) -> bool:
        return self.environment.workers_at_work(since) >= set(self.environment.workers)

    def _sample(self) -> None:
        delivered = self.environment.delivered()
        if delivered >= 0:
            if self._samples and delivered < self._samples[-1][1]:
                self._samples.clear()  # Redis was emptied
            self._samples.append((time.monotonic(), delivered))

    def _rest(self, seconds: float) -> None:
        """Wait, and take a sample now and then."""
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            self._sample()
            time.sleep(min(0.2, left))

    def _rate(self, seconds: float) -> float:
        """Return the deliveries per second in the last `seconds`."""
        now = time.monotonic()
        samples = [sample for sample in self._samples if sample[0] >= now - seconds - 0.5]
        if len(samples) < 2 or samples[-1][0] - samples[0][0] < 0.5:
            return 0.0
        return (samples[-1][1] - samples[0][1]) / (samples[-1][0] - samples[0][0])

    def finish(self) -> Evidence:
        """Stop the producers, wait until the lanes are empty, and return the evidence."""
        self.environment.stop_producers()
        try:
            self.wait_dry()
        except EnvironmentFailedError as error:
            self.stuck.append(f"stuck: {error}")  # the evidence shows what was left
        return collect(self.environment, [one for round_ in self.rounds for one in round_.injected])

    def wait_dry(self) -> None:
        """Wait until every job is done."""
        wait(self._dry, "every job to be done", DRAINED_SECONDS)

    def _dry(self) -> bool:
        try:
            with self.environment.client as client:
                counts = LaneStore(client).counts()
        except (LanesError, redis.RedisError):
            return False
        return counts["pending"] == counts["in_flight"] == 0


def collect(environment: Environment, injected: Sequence[Injected]) -> Evidence:
    """Gather the evidence of a run that is over."""
    recorded = journal.read(environment.journals)
    ids = [accepted_job.job_id for accepted_job in recorded.accepted_jobs]
    stored: dict[str, State] = {}
    merge_targets: dict[str, str] = {}
    with environment.client as client:
        store = LaneStore(client)
        forgotten = environment.jobs.forgotten + store.read_history().forgotten
        found = environment.jobs.read(store, ids)
        told = read_told(store)
        for job in found.values():
            stored[job.id] = job.state
            if job.merged_into:
                merge_targets[job.id] = job.merged_into
        counts, findings = (
            store.counts(),
            [
                *environment.findings,
                *environment.unexpected_exits(),
                *(f"lanes check: {line}" for line in check_consistency(store)),
            ],
        )
    arrivals = [Arrival.of(seen) for seen in environment.control.requests()]
    unexpected = [f"producer: {text}" for text in recorded.unexpected]
    return Evidence(
        recorded.accepted_jobs,
        stored,
        merge_targets,
        counts,
        arrivals,
        injected,
        LIMIT,
        WINDOW,
        LEASE,
        unexpected,
        findings,
        environment.jobs.before,
        forgotten,
        told,
    )
