"""Checks regularly which of the stored credentials this worker cannot decrypt."""

import time

import structlog

from lanes.credentials import AGENCY, CredentialStore
from lanes.settings import WorkerSettings
from worker.tokens.unservable import NOTED_SECONDS, TokenCheck, Unservable
from worker.tokens.vault import UndecryptableError, Vault, VaultError

log = structlog.get_logger()

CHECK_SECONDS = 5.0
SCAN_SECONDS = 60.0
TRY_AGAIN_SECONDS = 60.0  # for a location that a sender could not serve, if this process does not see why
NAMED = 5
REMEDY = "give this worker the key that they were stored with (LANES_SECRET_KEY), or store them again: lanes token set"


class CredentialWatch:
    """Keeps the list of unservable locations up to date, and logs changes. One in the main process of each worker."""

    def __init__(self, settings: WorkerSettings, store: CredentialStore, unservable: Unservable) -> None:
        vault = Vault(settings.secret_key)
        self._vault, self._store, self._unservable = vault, store, unservable
        self._check = TokenCheck(settings, store, vault)
        self._decryptable: dict[str, int] = {}  # name -> hash of the encrypted credential
        self._undecryptable: dict[str, bytes] = {}  # name -> encrypted credential
        self._why = ""
        self._since: dict[str, float] = {}
        self._confirmed: set[str] = set()
        self._scanned_at = -SCAN_SECONDS
        self._logged = 0

    def check(self) -> None:
        """Check the credentials that could not be decrypted, and once a minute all.

        Raises:
            RedisUnavailableError: Redis cannot be reached.
        """
        now = time.monotonic()
        if now - self._scanned_at >= SCAN_SECONDS:
            self._scanned_at = now
            self._scan()
        else:
            for name, (_, encrypted) in self._store.read_many(self._undecryptable).items():
                self._check_one(name, encrypted)
        self._store_result(now)
        self._log_changes()

    def _scan(self) -> None:
        names = set()
        for name, _, encrypted in self._store.each():
            names.add(name)
            self._check_one(name, encrypted)
        for gone in [name for name in (*self._decryptable, *self._undecryptable) if name not in names]:
            self._check_one(gone, b"")

    def _check_one(self, name: str, encrypted: bytes) -> None:
        """Note whether a credential can be decrypted. An unchanged one is not decrypted again."""
        if self._undecryptable.get(name) == encrypted or self._decryptable.get(name) == hash(encrypted):
            return
        self._decryptable.pop(name, None)
        self._undecryptable.pop(name, None)
        if not encrypted:
            return
        try:
            self._vault.decrypt(name, encrypted)
        except VaultError as error:
            self._undecryptable[name], self._why = encrypted, str(error)
        else:
            self._decryptable[name] = hash(encrypted)

    def _store_result(self, now: float) -> None:
        """Update the list in Redis: undecryptable ones stay; those that a sender added, until they can be served."""
        wrong = [name for name in self._undecryptable if not name.startswith(AGENCY)]
        some, worker = self._unservable.some, self._unservable.worker
        some.clear()  # before the read: a sender that adds a location now sets it afterwards
        noted = self._store.unservable(worker)
        over = [name for name in noted.difference(wrong) if self._is_over(name, now)]
        self._store.unmark_unservable(worker, over)
        self._since = {name: self._since.get(name, now) for name in noted.union(wrong).difference(over)}
        self._confirmed = self._confirmed.union(wrong).intersection(self._since)
        if self._since:
            self._store.mark_unservable(worker, self._since, NOTED_SECONDS)
            some.set()

    def _is_over(self, name: str, now: float) -> bool:
        """Return whether a listed location can be served, or may be tried again."""
        stored = self._store.read(name)
        self._check_one(name, stored.encrypted)
        if stored.encrypted and self._check.why_unservable(name, stored):
            self._confirmed.add(name)
            return False
        return name in self._confirmed or now - self._since.get(name, now) >= TRY_AGAIN_SECONDS

    def _log_changes(self) -> None:
        """Log when credentials become undecryptable, and when all can be decrypted again."""
        if self._undecryptable and not self._logged:
            count, some = len(self._undecryptable), sorted(self._undecryptable)[:NAMED]
            log.error("credentials_undecryptable", credentials=count, some=some, error=self._why, remedy=REMEDY)
        elif self._logged and not self._undecryptable:
            log.warning("credentials_decryptable", credentials=self._logged)
        self._logged = self._unservable.undecryptable = len(self._undecryptable)


def count_if_all_undecryptable(store: CredentialStore, vault: Vault) -> int:
    """Return how many credentials are stored if this vault can decrypt none of them, else 0.

    Raises:
        RedisUnavailableError: Redis cannot be reached.
    """
    names = set()
    for name, _, encrypted in store.each():
        names.add(name)
        try:
            vault.decrypt(name, encrypted)
        except UndecryptableError:
            continue
        except VaultError:
            return 0  # decrypted, but not a credential
        return 0
    return len(names)
