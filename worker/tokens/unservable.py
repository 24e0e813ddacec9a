"""The locations that this worker cannot serve, because it cannot decrypt or renew their tokens.

It gets none of their jobs (`Consumer.unservable`), so other workers can send them.
"""

import structlog

from lanes.credentials import AGENCY, CredentialStore, StoredCredential
from lanes.settings import WorkerSettings
from worker.shared_flag import SharedFlag
from worker.tokens import renewal_policy
from worker.tokens.credential import Credential, CredentialKind
from worker.tokens.vault import Vault, VaultError

log = structlog.get_logger()

NOTED_SECONDS = 60.0  # a location is listed for this time unless it is listed again


class Unservable:
    """The list of a worker, in Redis under its name. Thread-safe; one object in each process of the worker.

    `some`: whether there are any, shared by all processes of the worker. `undecryptable`: how many stored credentials,
    also of agencies, the worker cannot decrypt; known in its main process only.
    """

    def __init__(self, store: CredentialStore, worker: str, some: SharedFlag) -> None:
        self._store = store
        self.worker = worker
        self.some = some
        self.undecryptable = 0

    @property
    def name(self) -> str:
        """What release and count_due need: the worker, or nothing while it can serve every location."""
        return self.worker if self.some else ""

    def note(self, location_id: str, why: str) -> None:
        """Add a location: this worker gets no more of its jobs.

        Raises:
            RedisUnavailableError: Redis cannot be reached.
        """
        new = self._store.mark_unservable(self.worker, [location_id], NOTED_SECONDS)
        self.some.set()
        (log.warning if new else log.debug)("location_unservable", location=location_id, error=why)


class TokenCheck:
    """Checks whether this worker can use a credential. Errors as in `CredentialStore`."""

    def __init__(self, settings: WorkerSettings, store: CredentialStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._has_app = bool(settings.oauth_client_id and settings.oauth_client_secret)

    def why_unservable(self, location_id: str, stored: StoredCredential) -> str | None:
        """Return why this worker cannot serve a location with its stored credential; None if it can."""
        try:
            credential = self._vault.decrypt(location_id, stored.encrypted)
        except VaultError as error:
            return str(error)
        return None if renewal_policy.is_usable(credential, stored.read_at) else self.why_not_renewable(credential)

    def why_not_renewable(self, credential: Credential) -> str | None:
        """Return what this worker lacks to renew a credential; None if it can ask the API."""
        if credential.kind is CredentialKind.OAUTH:
            own = credential.client_id and credential.client_secret
            return None if own or self._has_app else _NO_APP
        if credential.kind is not CredentialKind.AGENCY:
            return None
        name = AGENCY + credential.company_id
        agency = self._store.read(name)
        if not agency.encrypted:
            return None  # the same for every worker: the renewal is refused, and a person must store it
        try:
            opened = self._vault.decrypt(name, agency.encrypted)
        except VaultError as error:
            return str(error)
        return None if renewal_policy.is_usable(opened, agency.read_at) else self.why_not_renewable(opened)


_NO_APP = "this worker does not know the app whose token it is: set LANES_OAUTH_CLIENT_ID and LANES_OAUTH_CLIENT_SECRET"
