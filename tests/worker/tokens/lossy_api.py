"""The token endpoint, processes that renew, and time, all in one thread: every way in which an answer can be lost.

Redis, the scripts, `TokenProvider` and `Renewer` are real; the time between them is not. A second of it counts as
`SCALE` real ones, so that the milliseconds of the real parts do not matter.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from lanes.credentials import CredentialStore
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from tests.lanes.conftest import ClockedStore
from worker.highlevel.outcomes import OutcomeKind, RequestFailure
from worker.tokens.credential import Credential, CredentialKind
from worker.tokens.oauth import Grant, TokenDenied, UnspentFailure
from worker.tokens.provider import TokenProvider
from worker.tokens.renewal_timing import RenewalTiming
from worker.tokens.vault import Vault, new_key

SCALE = 1000.0
GRACE = 30 * SCALE  # the API's own, whatever we believe
SETTINGS = WorkerSettings(secret_key=new_key(), oauth_client_id="app", oauth_client_secret="secret")
CHECK_SECONDS = 1.2  # the longest time between two looks of a dispatcher
# What may become of a try; `good` is what follows when nothing is left.
TAKEN = ("answer lost", "late and lost", "slow and lost", "reset", "503 applied", "slow 503 applied")
KILLED = ("killed after", "killed with the answer", "killed in the pause", "killed late")
NOT_TAKEN = ("lost before", "refused", "503", "slow 503", "429", "killed before")
PATTERNS = (*TAKEN, *KILLED, *NOT_TAKEN)


class KilledError(BaseException):
    """A process ends where it is, without another word."""


def scaled(timing: RenewalTiming) -> RenewalTiming:
    """Return the same in the test's seconds."""
    return RenewalTiming(**{each.name: getattr(timing, each.name) * SCALE for each in fields(RenewalTiming)})


class World:
    """One location with a pair whose access token is gone, the endpoint, and the clock."""

    def __init__(self, store: ClockedStore, patterns: Iterable[str], timing: RenewalTiming) -> None:
        store.client.flushall()
        store.pass_time(0)
        self.lanes, self.timing = store, scaled(timing)
        self.patterns: deque[str] = deque(patterns)
        self._lock = store.key("token_lock", "loc")
        sealed = Vault(SETTINGS.secret_key).encrypt("loc", Credential(CredentialKind.OAUTH, "", "rt-0"))
        CredentialStore(store).store_credential("loc", sealed)
        self.time = 0.0
        self.generation = 0
        self.spent_at: float | None = None
        self.asked: list[float] = []

    def advance(self, seconds: float) -> None:
        """Let time pass for every clock, and for what expires in Redis."""
        self.time += seconds
        self.lanes.pass_time(seconds)
        left = self.lanes.client.pttl(self._lock) - seconds * 1000
        if left > 0:
            self.lanes.client.pexpire(self._lock, round(left))
        else:
            self.lanes.client.delete(self._lock)

    def take(self, token: str) -> Grant | TokenDenied:
        """Be the API."""
        self.asked.append(self.time)
        if token == f"rt-{self.generation}":
            self.generation, self.spent_at = self.generation + 1, self.time
        elif self.spent_at is None or token != f"rt-{self.generation - 1}" or self.time - self.spent_at > GRACE:
            return TokenDenied(400, "invalid_grant: this refresh token is invalid")
        return Grant(f"at-{self.generation}", f"rt-{self.generation}", None)

    def lock_ends_in(self) -> float:
        """Return for how long the lock of a process that died is in force."""
        return max(0.0, self.lanes.client.pttl(self._lock) / 1000)


class MortalStore(ClockedStore):
    """The way of one process to Redis."""

    def __init__(self, world: World) -> None:
        LaneStore.__init__(self, world.lanes.client, world.lanes.prefix, test_clock=True)
        self._world = world
        self.alive = True

    def run(self, name: str, *arguments: Any) -> Any:
        """As in the store, unless the process is dead."""
        self.check()
        return super().run(name, *arguments)

    def read(self, ask: Any) -> Any:
        """As in the store, unless the process is dead."""
        self.check()
        return super().read(ask)

    def time(self) -> float:
        """Return the time of the world."""
        return self._world.lanes.now

    def check(self) -> None:
        """A dead process does nothing, whatever its `finally` says."""
        if not self.alive:
            raise KilledError


@dataclass
class Client:
    """The endpoint as one process sees it."""

    world: World
    store: MortalStore
    timeout: float
    dies_in_pause = False

    def refresh(self, token: str, *_: object, within: float, **__: object) -> Grant | TokenDenied | RequestFailure:
        """Let the next pattern happen."""
        world = self.world
        pattern = world.patterns.popleft() if world.patterns else "good"
        whole = min(within, self.timeout)
        head = pattern.split(" ")[0]
        if head == "killed":
            return self._killed(pattern.removeprefix("killed "), token, whole)
        self._wait(whole if pattern == "late and lost" else whole * 0.99 if head == "slow" else 0)
        if pattern in TAKEN or pattern == "good":
            answer = world.take(token)
            if pattern == "good":
                return answer
        if pattern in ("answer lost", "slow and lost", "lost before"):
            self._wait(whole * (0.01 if head == "slow" else 1))
            return RequestFailure("no whole answer")
        not_taken = {"refused": "connection failed", "429": "429 Too many"}
        return UnspentFailure(not_taken[pattern]) if pattern in not_taken else RequestFailure(pattern)

    def _wait(self, seconds: float) -> None:
        self.world.advance(seconds)

    def _killed(self, when: str, token: str, whole: float) -> Grant | TokenDenied | RequestFailure:
        if when in ("judge", "with the answer", "in the pause"):
            answer = self.world.take(token)
        if when == "in the pause":
            self.dies_in_pause = True
            self._wait(whole)
            return RequestFailure("no whole answer")
        if when == "late":
            self._wait(whole)
            self.world.take(token)
        self.store.alive = False
        if when == "with the answer":
            return answer
        raise KilledError


class Process:
    """A process of a worker that wants to send a job of the location."""

    def __init__(self, world: World) -> None:
        self.world, self.store = world, MortalStore(world)
        self.tokens = TokenProvider(SETTINGS, self.store, timing=world.timing)
        renewer: Any = self.tokens._renewer
        self.client = Client(world, self.store, world.timing.attempt_seconds)
        renewer._client = self.client
        renewer._clock = self.tokens._clock = lambda: world.time
        renewer._submit = renewer._work
        renewer._sleep = self._sleep
        # It has wanted one for long: it asks as rarely as any process.
        self.tokens._waits["loc"] = world.time - 10**9, world.time

    def _sleep(self, seconds: float) -> bool:
        if self.client.dies_in_pause:
            self.world.advance(seconds / 2)
            self.store.alive = False
            raise KilledError
        self.world.advance(seconds)
        return False


def renew(world: World, *, idle: bool = False) -> str:
    """Let one process after another ask and crash, until one gets a token, or the answer that there is none.

    With `idle` there are no jobs after the first request: workers look about once a second for what
    was left in the middle.
    """
    process = Process(world)
    for turn in range(2_000):
        try:
            if idle and turn:
                process.tokens.resume_renewals()
                world.advance(CHECK_SECONDS * SCALE)
            if not idle or not turn or not process.store.client.hlen(process.store.key("renewals")):
                token = process.tokens.of("loc")
                if token.failure_outcome is None:
                    return token.secret
                if token.failure_outcome.kind is not OutcomeKind.REQUEUE:
                    return f"refused: {token.failure_outcome.message}"
                world.advance(token.failure_outcome.wait or 0.0)
        except KilledError:
            world.advance(max(0.0, world.lock_ends_in() - 0.001 * SCALE))  # the worst moment for the next one to ask
            process = Process(world)
    return "nobody has a token"
