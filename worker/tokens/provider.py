"""Gives the shifts the tokens of locations, and decides what the refusal of a token means."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lanes.credentials import CredentialStore, StoredCredential
from lanes.errors import RedisUnavailableError, ScriptError
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from worker.highlevel.outcomes import Outcome, OutcomeKind
from worker.shared_flag import SharedFlag
from worker.tokens import renewal_policy
from worker.tokens.credential import Credential
from worker.tokens.renewal_timing import RENEWAL_TIMING, RenewalTiming
from worker.tokens.renewer import REFUSED, Renewer
from worker.tokens.unservable import TokenCheck, Unservable
from worker.tokens.vault import Vault, VaultError

CACHE_SECONDS = 10.0
MAX_CACHED = 20_000
RENEW_AGAIN_SECONDS = 1.0
MIN_WAIT = 0.1
WAITS_FORGOTTEN = 4
REDIS_AWAY_SECONDS = 0.5
UNREADABLE = "the stored tokens cannot be read: lanes check names the key"


@dataclass(frozen=True, slots=True)
class Token:
    """The token of a location, or the outcome of its jobs while there is none.

    `version` is that of the stored credential, 0 for the token of the settings.
    """

    location_id: str
    version: int
    secret: str = field(default="", repr=False)
    failure_outcome: Outcome | None = None


@dataclass(slots=True)
class CachedToken:
    """A token in the cache; times of `time.monotonic()`. `ends_at` is when the token expires."""

    token: Token
    refresh_at: float
    renew_at: float | None = None
    ends_at: float | None = None


class TokenProvider:
    """The tokens of locations, cached for a few seconds in each process. Thread-safe.

    No thread waits for a renewal: the lane waits, and the sender threads continue with other lanes. `stopping` returns
    whether the worker is about to end. Locations whose token this worker cannot decrypt or renew are added to
    `unservable`, and their jobs are queued again unchanged.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        lanes: LaneStore,
        stopping: Callable[[], bool] = lambda: False,
        unservable: Unservable | None = None,
        timing: RenewalTiming = RENEWAL_TIMING,
    ) -> None:
        self._store = CredentialStore(lanes)
        self._vault = Vault(settings.secret_key)
        self._check = TokenCheck(settings, self._store, self._vault)
        self.unservable = unservable or Unservable(self._store, "worker", SharedFlag())
        self._timing = timing
        self._renewer = Renewer(settings, self._store, self._vault, stopping, timing)
        self._default = settings.api_token.get_secret_value() if settings.api_token else ""
        self._cache: dict[str, CachedToken] = {}
        self._rejected: dict[str, int] = {}
        self._waits: dict[str, tuple[float, float]] = {}  # location -> when its wait began, when it last asked
        self._clock = time.monotonic
        self._chance = random.Random()  # noqa: S311 - jitter, not a secret

    def of(self, location_id: str) -> Token:
        """Return the token of a location, from the cache or Redis."""
        cached, now = self._cache.get(location_id), self._clock()
        ended = cached is not None and cached.ends_at is not None and now >= cached.ends_at
        if cached is None or ended or now >= cached.refresh_at:
            try:
                return self._look_up(location_id)
            except (RedisUnavailableError, ScriptError) as error:
                if cached is None or ended:
                    why = "Redis is unavailable" if isinstance(error, RedisUnavailableError) else UNREADABLE
                    return self._later(Token(location_id, 0), why, REDIS_AWAY_SECONDS)
        elif cached.renew_at is not None and now >= cached.renew_at:
            cached.renew_at = now + RENEW_AGAIN_SECONDS
            self._renewer.renew(location_id, cached.token.version)
        return cached.token

    def judge(self, token: Token, outcome: Outcome) -> Outcome:
        """Return the outcome of a request with this token: a refusal becomes a requeue if a new token may help.

        A refusal applies to this version of the token. The script that reports it compares it with the stored one.
        """
        if outcome.kind is not OutcomeKind.UNAUTHORIZED:
            return outcome
        location_id = token.location_id
        self._cache.pop(location_id, None)
        try:
            stored = self._store.read(location_id)
            if stored.version != token.version:
                return replace(outcome, kind=OutcomeKind.REQUEUE, wait=0.0)
            if not stored.encrypted:
                return outcome
            credential = self._vault.decrypt(location_id, stored.encrypted)
            if not renewal_policy.is_refreshable(credential, outcome, stored.read_at):
                return outcome
            if why := self._check.why_not_renewable(credential):
                return self._mark_unservable(location_id, outcome, why)
        except (RedisUnavailableError, ScriptError):
            return replace(outcome, kind=OutcomeKind.REQUEUE, wait=REDIS_AWAY_SECONDS)
        except VaultError as error:
            return self._mark_unservable(location_id, outcome, str(error))
        self._rejected[location_id] = token.version
        self._renewer.renew(location_id, token.version)
        return replace(outcome, kind=OutcomeKind.REQUEUE, wait=self._wait(location_id))

    def _mark_unservable(self, location_id: str, outcome: Outcome, why: str) -> Outcome:
        """Leave a location to other workers: queue the job again, without a pause of its lane."""
        try:
            self.unservable.note(location_id, why)
        except RedisUnavailableError:
            return replace(outcome, kind=OutcomeKind.REQUEUE, wait=REDIS_AWAY_SECONDS)
        return replace(outcome, kind=OutcomeKind.REQUEUE, wait=0.0)

    def resume_renewals(self) -> None:
        """Continue renewals that a worker left unfinished: the API repeats its answer for a short time only.

        Called about once a second.

        Raises:
            RedisUnavailableError: Redis cannot be reached.
        """
        for name, version, age in self._store.unfinished_renewals():
            if age < self._timing.grace:
                self._renewer.renew(name, version)

    def close(self) -> None:
        """Wait for running renewals."""
        self._renewer.close()

    def _look_up(self, location_id: str) -> Token:
        asked_at = self._clock()
        stored = self._store.read(location_id)
        if not stored.encrypted:
            token = Token(location_id, 0, self._default)
            if not self._default:
                return self._none(token, "there is no token for this location: lanes token set, or LANES_API_TOKEN")
            return self._remember(CachedToken(token, self._refresh_at(asked_at)))
        try:
            credential = self._vault.decrypt(location_id, stored.encrypted)
        except VaultError as error:
            return self._not_here(Token(location_id, stored.version), str(error))
        rejected = self._rejected.get(location_id) == stored.version
        if rejected or not renewal_policy.is_usable(credential, stored.read_at):
            return self._without(location_id, stored, credential)
        self._rejected.pop(location_id, None)
        token = Token(location_id, stored.version, credential.access_token)
        cached = CachedToken(token, self._refresh_at(asked_at))
        if credential.renewable and credential.expires_at is not None:
            here = asked_at - stored.read_at
            cached.ends_at = credential.expires_at + here
            # The same in every process, different for each token.
            chance = random.Random(f"{location_id} {stored.version}").random()  # noqa: S311 - jitter, not a secret
            renew_at = renewal_policy.renew_at(credential, chance)
            cached.renew_at = None if renew_at is None else renew_at + here
        return self._remember(cached)

    def _without(self, location_id: str, stored: StoredCredential, credential: Credential) -> Token:
        """Return the outcome of jobs while there is no usable token."""
        token = Token(location_id, stored.version)
        if not credential.renewable:
            return self._none(token, "the stored token was refused")
        if stored.lock.startswith(REFUSED):
            return self._none(token, f"the token could not be renewed: {stored.lock.removeprefix(REFUSED)}")
        if why := self._check.why_not_renewable(credential):
            return self._not_here(token, why)
        self._renewer.renew(location_id, stored.version)
        return self._later(token, "the token is being renewed", self._wait(location_id))

    def _not_here(self, token: Token, why: str) -> Token:
        outcome = self._mark_unservable(token.location_id, Outcome(OutcomeKind.REQUEUE, message=why), why)
        return replace(token, failure_outcome=outcome)

    def _none(self, token: Token, message: str) -> Token:
        return replace(token, failure_outcome=Outcome(OutcomeKind.UNAUTHORIZED, message=message))

    def _later(self, token: Token, message: str, wait: float) -> Token:
        return replace(token, failure_outcome=Outcome(OutcomeKind.REQUEUE, message=message, wait=wait))

    def _wait(self, location_id: str) -> float:
        """Return the pause of a lane: half of the time that it has waited so far, within bounds."""
        now = self._clock()
        began_at, asked_at = self._waits.get(location_id, (now, now))
        if now - asked_at > WAITS_FORGOTTEN * self._timing.poll_seconds:
            began_at = now
        self._waits[location_id] = began_at, now
        return min(self._timing.poll_seconds, max(MIN_WAIT, (now - began_at) / 2))

    def _remember(self, cached: CachedToken) -> Token:
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._waits.pop(cached.token.location_id, None)
        self._cache[cached.token.location_id] = cached
        return cached.token

    def _refresh_at(self, now: float) -> float:
        return now + CACHE_SECONDS * self._chance.uniform(0.5, 1.0)
