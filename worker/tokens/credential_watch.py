"""Looks at every stored credential now and then: which of them can this worker not decrypt, and does it still hold?"""

import time

import structlog

from lanes.credentials import AGENCY, CredentialStore
from lanes.settings import WorkerSettings
from worker.tokens.unservable import NOTED_SECONDS, TokenCheck, Unservable
from worker.tokens.vault import UndecryptableError, Vault, VaultError

log = structlog.get_logger()

CHECK_SECONDS = 5.0
SCAN_SECONDS = 60.0
# A location that a process could not serve, and of which this one does not see why: it is tried again after so long.
TRY_AGAIN_SECONDS = 60.0
NAMED = 5
REMEDY = "give this worker the key that they were stored with (LANES_SECRET_KEY), or store them again: lanes token set"


class CredentialWatch:
    """One for each worker, in its main process. It keeps what is noted in `Unservable` true, and says when that begins
    and ends.
    """

    def __init__(self, settings: WorkerSettings, store: CredentialStore, unservable: Unservable) -> None:
        vault = Vault(settings.secret_key)
        self._vault, self._store, self._unservable = vault, store, unservable
        self._check = TokenCheck(settings, store, vault)
        self._decryptable: dict[str, int] = {}  # name -> hash of what could be decrypted
        self._undecryptable: dict[str, bytes] = {}  # name -> what could not be
        self._why = ""
        self._since: dict[str, float] = {}
        self._confirmed: set[str] = set()
        self._scanned_at = -SCAN_SECONDS
        self._logged = 0

    def check(self) -> None:
        """Look at what could not be decrypted or served, and, once a minute, at everything.

        Raises:
            RedisUnavailableError: Redis is away.
        """
        now = time.monotonic()
        if now - self._scanned_at >= SCAN_SECONDS:
            self._scanned_at = now
            self._scan()
        else:
            for name, (_, sealed) in self._store.read_many(self._undecryptable).items():
                self._check_one(name, sealed)
        self._store_result(now)
        self._log_changes()

    def _scan(self) -> None:
        names = set()
        for name, _, sealed in self._store.each():
            names.add(name)
            self._check_one(name, sealed)
        for gone in [name for name in (*self._decryptable, *self._undecryptable) if name not in names]:
            self._check_one(gone, b"")

    def _check_one(self, name: str, sealed: bytes) -> None:
        """Note whether what stands under a name can be decrypted; what was seen before is not tried again."""
        if self._undecryptable.get(name) == sealed or self._decryptable.get(name) == hash(sealed):
            return
        self._decryptable.pop(name, None)
        self._undecryptable.pop(name, None)
        if not sealed:
            return
        try:
            self._vault.decrypt(name, sealed)
        except VaultError as error:
            self._undecryptable[name], self._why = sealed, str(error)
        else:
            self._decryptable[name] = hash(sealed)

    def _store_result(self, now: float) -> None:
        """Let Redis know: what cannot be decrypted stays noted; what a sender noted does until it can be served."""
        wrong = [name for name in self._undecryptable if not name.startswith(AGENCY)]
        some, worker = self._unservable.some, self._unservable.worker
        some.clear()  # before the look: a sender that notes one meanwhile sets it after its note
        noted = self._store.unservable(worker)
        over = [name for name in noted.difference(wrong) if self._is_over(name, now)]
        self._store.unmark_unservable(worker, over)
        self._since = {name: self._since.get(name, now) for name in noted.union(wrong).difference(over)}
        self._confirmed = self._confirmed.union(wrong).intersection(self._since)
        if self._since:
            self._store.mark_unservable(worker, self._since, NOTED_SECONDS)
            some.set()

    def _is_over(self, name: str, now: float) -> bool:
        """Return whether a location that was noted can be served; where only a sender saw why not, try again."""
        stored = self._store.read(name)
        self._check_one(name, stored.encrypted)
        if stored.encrypted and self._check.why_unservable(name, stored):
            self._confirmed.add(name)
            return False
        return name in self._confirmed or now - self._since.get(name, now) >= TRY_AGAIN_SECONDS

    def _log_changes(self) -> None:
        """Say once that it begins, and once that it ends."""
        if self._undecryptable and not self._logged:
            named = sorted(self._undecryptable)[:NAMED]
            log.error(
                "credentials_undecryptable",
                credentials=len(self._undecryptable),
                some=named,
                error=self._why,
                remedy=REMEDY,
            )
        elif self._logged and not self._undecryptable:
            log.warning("credentials_decryptable", credentials=self._logged)
        self._logged = self._unservable.undecryptable = len(self._undecryptable)


def count_if_all_undecryptable(store: CredentialStore, vault: Vault) -> int:
    """Return how many credentials are stored when this vault can decrypt none of them; 0 when it can, or none are.

    Raises:
        RedisUnavailableError: Redis is away.
    """
    names = set()
    for name, _, sealed in store.each():
        names.add(name)
        try:
            vault.decrypt(name, sealed)
        except UndecryptableError:
            continue
        except VaultError:
            return 0  # it was decrypted, and is no credential
        return 0
    return len(names)
