"""The locations that this worker cannot serve with what is stored for them: its own trouble, and nobody's refusal.

It is given none of their jobs (`Consumer.unservable`), so they stay as they are for the other workers.
"""

import structlog

from lanes.credentials import AGENCY, CredentialStore, StoredCredential
from lanes.settings import WorkerSettings
from worker.shared_flag import SharedFlag
from worker.tokens import renewal_policy
from worker.tokens.credential import Credential, CredentialKind
from worker.tokens.vault import Vault, VaultError

log = structlog.get_logger()

# For how long a location stays noted unless it is noted again: what a worker that died had noted is gone after that.
NOTED_SECONDS = 60.0


class Unservable:
    """The locations that a worker noted as such. Thread-safe; one for each process of a worker.

    `undecryptable` is how many stored credentials the worker cannot decrypt, those of agencies among them; known to its
    main process alone.

    Args:
        worker: the name under which Redis keeps them, the same in all processes of the worker.
        some: whether there are any; shared by all processes of the worker.
    """

    def __init__(self, store: CredentialStore, worker: str, some: SharedFlag) -> None:
        self._store = store
        self.worker = worker
        self.some = some
        self.undecryptable = 0

    @property
    def name(self) -> str:
        """What a release and a survey must name: the worker, or nothing while it can serve every location."""
        return self.worker if self.some else ""

    def note(self, location_id: str, why: str) -> None:
        """From now on this worker is given no job of this location.

        Raises:
            RedisUnavailableError: Redis is away.
        """
        new = self._store.mark_unservable(self.worker, [location_id], NOTED_SECONDS)
        self.some.set()
        (log.warning if new else log.debug)("location_unservable", location=location_id, error=why)


class TokenCheck:
    """Whether this worker can do with a credential what is to be done with it. Errors as those of `CredentialStore`."""

    def __init__(self, settings: WorkerSettings, store: CredentialStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._has_app = bool(settings.oauth_client_id and settings.oauth_client_secret)

    def why_unservable(self, location_id: str, stored: StoredCredential) -> str | None:
        """Return why this worker cannot serve a location with what is stored for it; None if it can."""
        try:
            credential = self._vault.decrypt(location_id, stored.encrypted)
        except VaultError as error:
            return str(error)
        return None if renewal_policy.is_usable(credential, stored.read_at) else self.why_not_renewable(credential)

    def why_not_renewable(self, credential: Credential) -> str | None:
        """Return what this worker lacks to renew a credential, None if nothing; whether the API does it is open."""
        if credential.kind is CredentialKind.OAUTH:
            own = credential.client_id and credential.client_secret
            return None if own or self._has_app else _NO_APP
        if credential.kind is not CredentialKind.AGENCY:
            return None
        name = AGENCY + credential.company_id
        agency = self._store.read(name)
        if not agency.encrypted:
            return None  # every worker finds that, and a person must store it: a refusal
        try:
            opened = self._vault.decrypt(name, agency.encrypted)
        except VaultError as error:
            return str(error)
        return None if renewal_policy.is_usable(opened, agency.read_at) else self.why_not_renewable(opened)


_NO_APP = "this worker does not know the app whose token it is: set LANES_OAUTH_CLIENT_ID and LANES_OAUTH_CLIENT_SECRET"
