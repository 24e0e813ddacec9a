"""Renews tokens, each under one lock over all workers, in threads of its own: no hand that sends waits for it."""

import math
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from lanes.errors import RedisUnavailableError
from lanes.settings import Settings
from lanes.token_store import AGENCY, Stored, TokenStore
from worker.highlevel.outcomes import Failure
from worker.tokens import renewal
from worker.tokens.credential import Credential, Kind
from worker.tokens.oauth import Grant, OAuthClient, Refusal
from worker.tokens.vault import Vault

log = structlog.get_logger()

THREADS = 16
# A lock's note that begins so says that only a person can help.
REFUSED = "refused: "
REFUSED_SECONDS = 10.0
SPARE_SECONDS = 2.0
PERSIST_PAUSE_SECONDS = 0.2
STOPPING_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Work:
    """A credential that this process, and no other, renews now. `until` is by `time.monotonic()`."""

    name: str
    holder: str
    until: float
    stored: Stored
    credential: Credential


class Renewer:
    """Renews what it is told to, once at a time in a process. Thread-safe.

    A process that dies between the API's answer and the write loses nothing: whoever has the lock next spends the same
    refresh token, and the API gives the same pair again for 30 s.
    """

    def __init__(self, settings: Settings, store: TokenStore, vault: Vault, stopping: Callable[[], bool]) -> None:
        self._stopping = stopping
        self._store = store
        self._vault = vault
        self._client = OAuthClient(settings.api_base_url, settings.http_timeout_seconds)
        self._client_id = settings.oauth_client_id or ""
        secret = settings.oauth_client_secret
        self._client_secret = secret.get_secret_value() if secret else ""
        self._lock_seconds = self._client.timeout + SPARE_SECONDS
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._failures: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(THREADS, "renewer")
        self._closed = False
        self._chance = random.Random()  # noqa: S311 - jitter, not a secret

    def renew(self, name: str, version: int) -> None:
        """Renew what stands under a name in this version, unless that is on its way; returns at once."""
        with self._lock:
            if name in self._busy or self._closed:
                return
            self._busy.add(name)
        self._threads.submit(self._work, name, version)

    def close(self) -> None:
        """Renew nothing more, and wait until what the API gave is written down."""
        with self._lock:
            self._closed = True
        self._threads.shutdown()

    def _work(self, name: str, version: int) -> None:
        try:
            self._renew(name, version)
        except RedisUnavailableError as error:
            log.warning("token_not_renewed", token=name, error=str(error))
        except Exception:
            log.exception("token_not_renewed", token=name)
        finally:
            with self._lock:
                self._busy.discard(name)

    def _renew(self, name: str, version: int) -> None:
        holder, until = uuid.uuid4().hex, time.monotonic() + self._lock_seconds
        if not self._store.lock(name, holder, self._lock_seconds):
            return
        answer: Grant | Refusal | Failure | None = Failure("interrupted")
        try:
            stored = self._store.read(name)
            if stored.version != version or not stored.sealed:
                answer = None
                return
            work = Work(name, holder, until, stored, self._vault.open(name, stored.sealed))
            asked_at = time.monotonic()
            answer = self._ask(work)
            if isinstance(answer, Grant):
                self._persist(work, answer, asked_at)
        finally:
            if not isinstance(answer, Grant):
                self._give_up(name, holder, answer)

    def _ask(self, work: Work) -> Grant | Refusal | Failure:
        credential = work.credential
        if credential.kind is Kind.AGENCY:
            return self._mint(work)
        return self._refresh(work, "Company" if work.name.startswith(AGENCY) else "Location")

    def _refresh(self, work: Work, user_type: str) -> Grant | Refusal | Failure:
        credential = work.credential
        client_id = credential.client_id or self._client_id
        client_secret = credential.client_secret or self._client_secret
        if not client_id or not client_secret:
            return Refusal(0, "its app is not known: set LANES_OAUTH_CLIENT_ID and LANES_OAUTH_CLIENT_SECRET")
        if time.monotonic() + self._client.timeout > work.until:
            return Failure("too late: another may renew it by now")
        return self._client.refresh(
            credential.refresh_token, client_id, client_secret, user_type, replaces=credential.access_token
        )

    def _mint(self, work: Work) -> Grant | Refusal | Failure:
        company_id = work.credential.company_id
        name = AGENCY + company_id
        stored = self._store.read(name)
        if not stored.sealed:
            return Refusal(0, f"there is no token of agency {company_id}: lanes token set --agency {company_id}")
        agency = self._vault.open(name, stored.sealed)
        if not renewal.usable(agency, stored.read_at):
            return self._agency_first(name, stored)
        answer = self._client.mint(company_id, work.name, agency.access_token, replaces=work.credential.access_token)
        refused = isinstance(answer, Refusal) and answer.status == 401
        if refused and agency.renewable and not renewal.fresh(agency, stored.read_at):
            return self._agency_first(name, stored)
        return answer

    def _agency_first(self, name: str, stored: Stored) -> Refusal | Failure:
        """Renew the agency's token; the location's turn comes again right after."""
        if stored.lock.startswith(REFUSED):
            return Refusal(0, stored.lock.removeprefix(REFUSED))
        self.renew(name, stored.version)
        return Failure("the token of its agency is renewed first")

    def _persist(self, work: Work, grant: Grant, asked_at: float) -> None:
        """Write the new credential down, however long Redis is away: the old one is spent."""
        took = time.monotonic() - asked_at
        stored = work.stored
        credential = renewal.renewed(work.credential, grant, stored.read_at, stored.read_at + took)
        sealed = self._vault.seal(work.name, credential)
        given_up_at, said = math.inf, False
        while True:
            try:
                version = self._store.store_token(work.name, sealed, replaces=stored.version)
            except RedisUnavailableError as error:
                now = time.monotonic()
                if self._closed or self._stopping():
                    given_up_at = min(given_up_at, now + STOPPING_SECONDS)
                if now >= given_up_at:
                    raise
                (log.debug if said else log.warning)("token_not_stored_yet", token=work.name, error=str(error))
                said = True
                time.sleep(PERSIST_PAUSE_SECONDS * self._chance.uniform(0.5, 1.5))
            else:
                break
        self._failures.pop(work.name, None)
        log.info("token_renewed" if version else "token_renewed_by_another", token=work.name)

    def _give_up(self, name: str, holder: str, answer: Refusal | Failure | None) -> None:
        """Let others try: at once when there was nothing to do, else after a while."""
        if answer is None:
            self._store.unlock_token(name, holder)
        elif isinstance(answer, Refusal):
            log.warning("token_refused", token=name, status=answer.status, message=answer.message)
            self._store.unlock_token(name, holder, REFUSED + answer.message, REFUSED_SECONDS)
        else:
            with self._lock:
                self._failures[name] += 1
                pause = renewal.backoff(self._failures[name]) * self._chance.uniform(0.5, 1.0)
            log.warning("token_not_renewed", token=name, error=answer.message)
            self._store.unlock_token(name, holder, answer.message, pause)
