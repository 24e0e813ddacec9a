"""A run: faults, one round after the other, each recovered from, and at the end the account of everything."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import redis

from lanes.audit import audit
from lanes.errors import LanesError
from lanes.job import State
from lanes.store import LaneStore
from tests.chaos import journal
from tests.chaos.evidence import Arrival, Evidence, Injected
from tests.chaos.fault import Fault, wait
from tests.chaos.faults import Planned
from tests.chaos.recovery import LOOK_SECONDS
from tests.chaos.scene import LEASE, LIMIT, WINDOW, Scene, SceneError

CALM_SECONDS = 4.0  # before a round, so that there is a speed to come back to
# Generous: what is in hand is back after a lease and a backoff; a worker starts its consumer anew; the machine is busy.
RECOVERED_SECONDS = 60.0
DRAINED_SECONDS = 120.0
LIVE_SPEED = 0.7  # of the rate before; the table tells the exact figures, from the account of the sandbox
STEP = 500

Tell = Callable[[str], None]


@dataclass(slots=True)
class Round:
    """Faults that were in force together, when they began and ended (monotonic), and when all was well again."""

    injected: list[Injected]
    began_at: float
    ended_at: float
    recovered_at: float | None


@dataclass(slots=True)
class Run:
    """What happens to one scene. `tell` is told what goes on, a line at a time; `calm`: seconds between the rounds."""

    scene: Scene
    tell: Tell = print
    calm: float = CALM_SECONDS
    rounds: list[Round] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    _looks: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=400))

    def play(self, plan: Iterable[Sequence[Planned]], seconds: float) -> None:
        """Inject one round after the other, as long as there are any and the time is not over."""
        ends_at = time.monotonic() + seconds
        self.warm_up()
        for planned in plan:
            self.inject(planned)
            if time.monotonic() >= ends_at:
                return

    def warm_up(self) -> None:
        """Wait until every worker delivers, and for a while of usual speed."""
        wait(lambda: self._all_at_work(since=0.0), "every worker to deliver")
        self._rest(self.calm)

    def inject(self, planned: Sequence[Planned]) -> None:
        """Do and undo these faults, and wait until the system is back at full speed with every worker at work."""
        self.tell(" + ".join(map(str, planned)))
        before = min(self._rate(self.calm), self.scene.usual_rate)  # more is a backlog of the last fault
        began_at = time.monotonic()
        injected = self._do(planned, began_at)
        ended_at, ended_wall = time.monotonic(), time.time()
        self.scene.settle()
        settled = time.monotonic()
        recovered_at = self._recover(ended_wall, before)
        self.rounds.append(Round(injected, began_at, ended_at, recovered_at))
        if recovered_at is None:
            names = ", ".join(one.name for one in injected)
            idle = ", ".join(sorted(set(self.scene.workers) - self.scene.workers_at_work(ended_wall)))
            self.stuck.append(
                f"stuck: after {names} not at full speed within {RECOVERED_SECONDS:g} s; "
                f"workers without a delivery: {idle or 'none'}"
            )
        else:
            started = f"{settled - ended_at:.1f} s of starting workers"
            self.tell(
                f"  well again after {recovered_at - ended_at:.1f} s ({started}); {self.scene.delivered()} delivered"
            )
        self._rest(self.calm)

    def _do(self, planned: Sequence[Planned], began_at: float) -> list[Injected]:
        """Begin and end the faults of a round at their times."""
        acts: list[tuple[float, int, Fault]] = []
        for one in planned:
            fault = one.make()
            acts += [(one.after, 0, fault), (one.after + one.seconds, 1, fault)]
        began: dict[int, float] = {}
        injected: list[Injected] = []
        for at, is_end, fault in sorted(acts, key=lambda act: act[:2]):
            self._rest(began_at + at - time.monotonic())
            if is_end:
                fault.end(self.scene)
                injected.append(fault.injected(began[id(fault)]))
            else:
                began[id(fault)] = time.monotonic()
                fault.begin(self.scene)
        return injected

    def _recover(self, since: float, before: float) -> float | None:
        deadline = time.monotonic() + RECOVERED_SECONDS
        while time.monotonic() < deadline:
            self._look()
            self.scene.supervise()
            if self._rate(LOOK_SECONDS) >= LIVE_SPEED * before and self._all_at_work(since):
                return time.monotonic()
            time.sleep(0.2)
        return None

    def _all_at_work(self, since: float) -> bool:
        return self.scene.workers_at_work(since) >= set(self.scene.workers)

    def _look(self) -> None:
        delivered = self.scene.delivered()
        if delivered >= 0:
            if self._looks and delivered < self._looks[-1][1]:
                self._looks.clear()  # Redis was emptied
            self._looks.append((time.monotonic(), delivered))

    def _rest(self, seconds: float) -> None:
        """Let it be, and look now and then."""
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            self._look()
            time.sleep(min(0.2, left))

    def _rate(self, seconds: float) -> float:
        """Return the deliveries a second of the last so many seconds."""
        now = time.monotonic()
        looks = [look for look in self._looks if look[0] >= now - seconds - 0.5]
        if len(looks) < 2 or looks[-1][0] - looks[0][0] < 0.5:
            return 0.0
        return (looks[-1][1] - looks[0][1]) / (looks[-1][0] - looks[0][0])

    def finish(self) -> Evidence:
        """Let the producers end, the lanes run dry, and collect what there is to judge by."""
        self.scene.stop_producers()
        try:
            self.wait_dry()
        except SceneError as error:
            self.stuck.append(f"stuck: {error}")  # the account tells what was left
        return collect(self.scene, [one for round_ in self.rounds for one in round_.injected])

    def wait_dry(self) -> None:
        """Wait until every job is done."""
        wait(self._dry, "every job to be done", DRAINED_SECONDS)

    def _dry(self) -> bool:
        try:
            with self.scene.client as client:
                counts = LaneStore(client).counts()
        except (LanesError, redis.RedisError):
            return False
        return counts["pending"] == counts["in_flight"] == 0


def collect(scene: Scene, injected: Sequence[Injected]) -> Evidence:
    """Gather the evidence of a run that is over."""
    told = journal.read(scene.journals)
    ids = [promise.job_id for promise in told.promises]
    stored: dict[str, State] = {}
    carriers: dict[str, str] = {}
    with scene.client as client:
        store = LaneStore(client)
        for start in range(0, len(ids), STEP):
            for job in store.read_jobs(ids[start : start + STEP]):
                if job is not None:
                    stored[job.id] = job.state
                    if job.merged_into:
                        carriers[job.id] = job.merged_into
        counts, findings = (
            store.counts(),
            [*scene.findings, *scene.needless_ends(), *(f"lanes check: {line}" for line in audit(store))],
        )
    arrivals = [Arrival.of(seen) for seen in scene.control.requests()]
    surprises = [f"producer: {text}" for text in told.surprises]
    return Evidence(
        told.promises,
        stored,
        carriers,
        counts,
        arrivals,
        injected,
        LIMIT,
        WINDOW,
        LEASE,
        surprises,
        findings,
        scene.emptied,
    )
