"""What a person does with stored credentials: stores, lists, removes, encrypts anew."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lanes.credentials import AGENCY, CredentialStore
from lanes.queue.store import LaneStore
from worker.tokens.credential import Credential, CredentialError, CredentialKind
from worker.tokens.vault import Vault, VaultError


@dataclass(frozen=True, slots=True)
class CredentialInfo:
    """A stored credential, secrets apart. Times in seconds; `credential` is None where no key opens it."""

    name: str
    age: float
    read_at: float
    credential: Credential | None
    note: str

    @property
    def expires_in(self) -> float | None:
        """Seconds until its access token ends, None where it does not, or nobody knows."""
        expires_at = self.credential.expires_at if self.credential else None
        return None if expires_at is None else expires_at - self.read_at

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values; never a token."""
        known = self.credential
        agency = self.name.removeprefix(AGENCY) if self.name.startswith(AGENCY) else None
        return {
            "location_id": None if agency else self.name,
            "agency": agency or (known.company_id if known and known.kind is CredentialKind.AGENCY else None),
            "kind": known.kind.value if known else None,
            "fingerprint": known.fingerprint if known else None,
            "expires_at": known.expires_at if known else None,
            "expires_in": self.expires_in,
            "age": self.age,
            "note": self.note or None,
        }


class CredentialAdmin:
    """The stored credentials of a cell."""

    def __init__(self, lanes: LaneStore, vault: Vault) -> None:
        self._lanes = lanes
        self._vault = vault
        self._store = CredentialStore(lanes)

    def put(self, name: str, credential: Credential) -> None:
        """Store a credential in the place of whatever stands there.

        Raises:
            CredentialError: an agency's own token was to be minted.
        """
        if name.startswith(AGENCY) and credential.kind is CredentialKind.AGENCY:
            message = "an agency's own token is not minted: it must be a pair"
            raise CredentialError(message)
        self._store.store_credential(name, self._vault.encrypt(name, credential))

    def locations_served(self, name: str) -> list[str]:
        """Return the locations that a new credential of this name serves: its own, or those of the agency."""
        if not name.startswith(AGENCY):
            return [name]
        company_id = name.removeprefix(AGENCY)
        return [
            entry.name
            for entry in self.entries()
            if entry.credential
            and entry.credential.kind is CredentialKind.AGENCY
            and entry.credential.company_id == company_id
        ]

    def resume(self, name: str) -> list[str]:
        """Let the lanes go on that were held for want of this credential, and for no other cause; return them.

        A lane that a person holds as well stays held by that person alone.
        """
        locations = self.locations_served(name)
        for location in locations:
            if location != name:
                self._store.renew_version(location)
        return [location for location in locations if self._lanes.resume_authorized(location) == "resumed"]

    def entries(self) -> Iterator[CredentialInfo]:
        """Go through all, in the order of their names."""
        for name in self._store.names():
            stored = self._store.read(name)
            if not stored.encrypted:
                continue
            try:
                credential, note = self._vault.decrypt(name, stored.encrypted), stored.note
            except VaultError as error:
                credential, note = None, str(error)
            yield CredentialInfo(name, max(0.0, stored.read_at - stored.stored_at), stored.read_at, credential, note)

    def remove(self, name: str) -> bool:
        """Remove a credential; tell whether there was one."""
        return self._store.remove_credential(name)

    def names(self) -> list[str]:
        """Return the names of all."""
        return self._store.names()

    def reencrypt(self, name: str) -> bool:
        """Encrypt a credential with the first key; tell whether it is still there. Safe to repeat.

        Raises:
            VaultError: no key opens it.
        """
        while (stored := self._store.read(name)).encrypted:
            sealed = self._vault.encrypt(name, self._vault.decrypt(name, stored.encrypted))
            if self._store.store_credential(name, sealed, replaces=stored.version, keep=True):
                return True
        return False
