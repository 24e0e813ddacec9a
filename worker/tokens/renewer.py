"""Renews tokens in threads of its own. A lock in Redis ensures that one worker renews a token at a time."""

import math
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import structlog

from lanes.credentials import AGENCY, CredentialStore, StoredCredential
from lanes.errors import LanesError, RedisUnavailableError
from lanes.retry_loop import RetryLoop
from lanes.settings import WorkerSettings
from worker.highlevel.outcomes import RequestFailure
from worker.tokens import renewal_policy
from worker.tokens.credential import Credential, CredentialKind
from worker.tokens.oauth import Grant, OAuthClient, TokenDenied, UnspentFailure
from worker.tokens.renewal_timing import RENEWAL_TIMING, RenewalTiming
from worker.tokens.vault import Vault, VaultError

log = structlog.get_logger()

THREADS = 32
REFUSED = "refused: "  # a lock's note that begins so means that only a person can help
REPLICA_SECONDS = 1.0
PERSIST_PAUSE_SECONDS = 0.2
STOPPING_SECONDS = 15.0
TOO_LATE = UnspentFailure("too late: another may renew it by now")
AGENCY_FIRST = RequestFailure("the token of its agency is renewed first")


@dataclass(frozen=True, slots=True)
class RenewalAttempt:
    """A renewal under a lock that ends at `until` (`time.monotonic()`). `first_at` and `now`: see `RenewalStart`."""

    name: str
    holder: str
    until: float
    stored: StoredCredential
    credential: Credential
    first_at: float | None
    now: float

    @property
    def waited(self) -> float:
        """For how long it has been unknown whether the refresh token is spent (seconds)."""
        return 0.0 if self.first_at is None else max(0.0, self.now - self.first_at)


@dataclass(frozen=True, slots=True)
class RetryDelay:
    """Retry after `pause`. For another `in_grace` the API repeats the same pair. Seconds."""

    pause: float
    in_grace: float


class Renewer:
    """Renews tokens on request. Thread-safe.

    A process that crashes between the API's answer and the write loses nothing: the next holder of the lock uses the
    same refresh token, and the API repeats the pair for 30 s. Within that time this process retries automatically.
    `RenewalTiming` has the times.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        store: CredentialStore,
        vault: Vault,
        stopping: Callable[[], bool],
        timing: RenewalTiming = RENEWAL_TIMING,
    ) -> None:
        self._stopping = stopping
        self._store = store
        self._vault = vault
        self._client = OAuthClient(settings.api_base_url, settings.http_timeout_seconds)
        self._client_id = settings.oauth_client_id or ""
        secret = settings.oauth_client_secret
        self._client_secret = secret.get_secret_value() if secret else ""
        self._timing = timing
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._failures: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(THREADS, "renewer")
        self._closing = threading.Event()
        self._clock = time.monotonic
        self._chance = random.Random()  # noqa: S311 - jitter, not a secret

    def renew(self, name: str, version: int) -> None:
        """Start to renew this version of a token, unless that is running. Returns at once."""
        with self._lock:
            if name in self._busy or self._closing.is_set():
                return
            self._busy.add(name)
        self._submit(name, version)

    def _submit(self, name: str, version: int) -> None:
        self._threads.submit(self._work, name, version)

    def close(self) -> None:
        """Start no more renewals, and wait until received tokens are stored."""
        self._closing.set()
        self._threads.shutdown()

    def _work(self, name: str, version: int) -> None:
        try:
            self._renew(name, version)
        except VaultError as error:
            log.debug("token_not_renewed", token=name, error=str(error))  # the shift that needs the token logs it
        except RedisUnavailableError as error:
            log.warning("token_not_renewed", token=name, error=str(error))
        except Exception:
            log.exception("token_not_renewed", token=name)
        finally:
            with self._lock:
                self._busy.discard(name)

    def _renew(self, name: str, version: int) -> None:
        """Try, and retry while the API repeats the same pair. After that the next request for the token starts it."""
        ends_at = -math.inf
        while True:
            try:
                retry_delay = self._try(name, version)
            except RedisUnavailableError:
                if self._clock() >= ends_at:
                    raise
                retry_delay = RetryDelay(self._timing.min_pause, 0.0)
            if retry_delay is None:
                return
            ends_at = max(ends_at, self._clock() + retry_delay.in_grace)
            if self._clock() + retry_delay.pause >= ends_at or self._stopping() or self._sleep(retry_delay.pause):
                return

    def _sleep(self, seconds: float) -> bool:
        """Wait; return whether the renewer is closing."""
        return self._closing.wait(seconds)

    def _try(self, name: str, version: int) -> RetryDelay | None:
        """Try once, under the lock; None if there is nothing more to do."""
        stored = self._store.read(name)
        if stored.version != version or not stored.encrypted:
            return None
        credential = self._vault.decrypt(name, stored.encrypted)
        holder, began_at = uuid.uuid4().hex, self._clock()
        lock_seconds, spends = self._client.timeout + self._timing.margin, credential.kind is CredentialKind.OAUTH
        begun = self._store.begin_renewal(name, version, holder, lock_seconds, spends=spends)
        if begun.code != "begun":
            return RetryDelay(self._timing.min_pause, 0.0) if begun.code == "locked" else None
        until = began_at + lock_seconds
        attempt = RenewalAttempt(name, holder, until, stored, credential, begun.first_at, begun.now)
        answer: Grant | TokenDenied | RequestFailure = RequestFailure("interrupted")
        retry_delay: RetryDelay | None = None
        try:
            of_agency = credential.kind is CredentialKind.AGENCY
            answer = self._exchange(attempt) if of_agency else self._refresh(attempt)
            if isinstance(answer, Grant):
                self._persist(attempt, answer)
        finally:
            if not isinstance(answer, Grant):
                retry_delay = self._give_up(attempt, answer, self._clock() - began_at)
        return retry_delay

    def _refresh(self, attempt: RenewalAttempt) -> Grant | TokenDenied | RequestFailure:
        credential = attempt.credential
        client_id = credential.client_id or self._client_id
        client_secret = credential.client_secret or self._client_secret
        if not client_id or not client_secret:
            message = "this worker does not know the app: set LANES_OAUTH_CLIENT_ID and LANES_OAUTH_CLIENT_SECRET"
            return UnspentFailure(message, local=True)
        within = self._left(attempt)
        if within < self._client.timeout / 2:
            return TOO_LATE
        answer = self._client.refresh(
            credential.refresh_token,
            client_id,
            client_secret,
            "Company" if attempt.name.startswith(AGENCY) else "Location",
            replaces=credential.access_token,
            owner=attempt.name.removeprefix(AGENCY),
            within=within,
        )
        if isinstance(answer, TokenDenied) and attempt.first_at is not None and attempt.waited >= self._timing.grace:
            return replace(answer, message=renewal_policy.explain_lost(attempt.name, attempt.first_at, answer.message))
        return answer

    def _left(self, attempt: RenewalAttempt) -> float:
        """Return how many seconds a request may take so that it ends before the lock."""
        return attempt.until - self._clock() - self._timing.margin / 2

    def _exchange(self, attempt: RenewalAttempt) -> Grant | TokenDenied | RequestFailure:
        company_id = attempt.credential.company_id
        name = AGENCY + company_id
        stored = self._store.read(name)
        if not stored.encrypted:
            return TokenDenied(0, f"there is no token of agency {company_id}: lanes token set --agency {company_id}")
        try:
            agency = self._vault.decrypt(name, stored.encrypted)
        except VaultError as error:
            return UnspentFailure(str(error), local=True)
        if not renewal_policy.is_usable(agency, stored.read_at):
            return self._agency_first(name, stored)
        within = self._left(attempt)
        if within < self._client.timeout / 2:
            return TOO_LATE
        replaces = attempt.credential.access_token
        answer = self._client.exchange(company_id, attempt.name, agency.access_token, replaces=replaces, within=within)
        refused = isinstance(answer, TokenDenied) and answer.status == 401
        if refused and agency.renewable and not renewal_policy.just_refreshed(agency, stored.read_at):
            return self._agency_first(name, stored)
        return answer

    def _agency_first(self, name: str, stored: StoredCredential) -> TokenDenied | RequestFailure:
        """Renew the agency's token; the location's follows after a short pause."""
        if stored.lock.startswith(REFUSED):
            return TokenDenied(0, stored.lock.removeprefix(REFUSED))
        self.renew(name, stored.version)
        return AGENCY_FIRST

    def _persist(self, attempt: RenewalAttempt, grant: Grant) -> None:
        """Store the new credential, retrying while Redis is unavailable: the old one is spent."""
        stored = attempt.stored
        given_at = renewal_policy.given_at(attempt.now, attempt.first_at)
        credential = renewal_policy.renewed(attempt.credential, grant, given_at)
        encrypted = self._vault.encrypt(attempt.name, credential)
        tries, logged = RetryLoop(PERSIST_PAUSE_SECONDS), False
        while True:
            try:
                version = self._store.store_credential(attempt.name, encrypted, replaces=stored.version)
            except RedisUnavailableError as error:
                if self._closing.is_set() or self._stopping():
                    tries.end_within(STOPPING_SECONDS)
                if tries.over:
                    raise
                (log.debug if logged else log.warning)("token_not_stored_yet", token=attempt.name, error=str(error))
                logged = True
                tries.sleep()
            else:
                break
        self._failures.pop(attempt.name, None)
        self._replicate(attempt.name)
        log.info("token_renewed" if version else "token_renewed_by_another", token=attempt.name)

    def _replicate(self, name: str) -> None:
        """Wait a moment for a replica, if there is one: the old refresh token is spent. Errors are only logged."""
        try:
            if self._store.wait_for_replica(REPLICA_SECONDS) is False:
                log.warning("token_not_replicated_yet", token=name, seconds=REPLICA_SECONDS)
        except LanesError as error:
            log.warning("token_not_replicated_yet", token=name, error=str(error))

    def _give_up(self, attempt: RenewalAttempt, answer: TokenDenied | RequestFailure, took: float) -> RetryDelay | None:
        """Release the lock and return when this process retries. Other workers may retry after the same pause."""
        first = attempt.first_at is None or attempt.first_at >= attempt.now
        unspent = first and isinstance(answer, (TokenDenied, UnspentFailure))
        if isinstance(answer, TokenDenied):
            log.warning("token_refused", token=attempt.name, status=answer.status, message=answer.message)
            note = REFUSED + answer.message
            self._store.release_token_lock(attempt.name, attempt.holder, note, self._timing.refused, unspent=unspent)
            return None
        left = 0.0 if unspent or attempt.first_at is None else self._timing.grace - attempt.waited - took
        pause = self._pause(attempt.name, answer, took, in_grace=left > 0)
        log.warning("token_not_renewed", token=attempt.name, error=answer.message)
        note, locked = ("", 0.0) if answer.local else (answer.message, pause)  # local: others may retry at once
        self._store.release_token_lock(attempt.name, attempt.holder, note, locked, unspent=unspent)
        return RetryDelay(pause, left)

    def _pause(self, name: str, answer: RequestFailure, took: float, *, in_grace: bool) -> float:
        if answer is AGENCY_FIRST:
            return self._timing.min_pause
        with self._lock:
            self._failures[name] += 1
            failures = self._failures[name]
        return self._timing.pause(failures, took, in_grace=in_grace) * self._chance.uniform(0.5, 1.0)
