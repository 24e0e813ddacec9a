"""What people do with stored credentials: store, list, remove, re-encrypt."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lanes.credentials import AGENCY, CredentialStore
from lanes.queue.store import LaneStore
from worker.tokens.credential import Credential, CredentialError, CredentialKind
from worker.tokens.vault import Vault, VaultError


@dataclass(frozen=True, slots=True)
class CredentialInfo:
    """A stored credential. Times in seconds; `credential` is None if no key decrypts it."""

    name: str
    age: float
    read_at: float
    credential: Credential | None
    note: str

    @property
    def expires_in(self) -> float | None:
        """Seconds until its access token expires, None if it does not or that is unknown."""
        expires_at = self.credential.expires_at if self.credential else None
        return None if expires_at is None else expires_at - self.read_at

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, without tokens."""
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
    """The stored credentials."""

    def __init__(self, lanes: LaneStore, vault: Vault) -> None:
        self._lanes = lanes
        self._vault = vault
        self._store = CredentialStore(lanes)

    def put(self, name: str, credential: Credential) -> None:
        """Store a credential, in place of the one with this name.

        Raises:
            CredentialError: it is of kind `agency`, and so is the name.
        """
        if name.startswith(AGENCY) and credential.kind is CredentialKind.AGENCY:
            message = "an agency's own token must be a pair of access token and refresh token"
            raise CredentialError(message)
        self._store.store_credential(name, self._vault.encrypt(name, credential))

    def locations_served(self, name: str) -> list[str]:
        """Return the locations that use the credential of this name: one, or those of the agency."""
        if not name.startswith(AGENCY):
            return [name]
        known = {entry.name: entry.credential for entry in self.entries() if entry.credential}
        of_agencies = {each: found.company_id for each, found in known.items() if found.kind is CredentialKind.AGENCY}
        return [each for each, company_id in of_agencies.items() if company_id == name.removeprefix(AGENCY)]

    def resume(self, name: str) -> list[str]:
        """Remove the holds that this credential's failure caused; return the locations whose lanes are resumed.

        A lane that a person holds, too, stays held by that person.
        """
        locations = self.locations_served(name)
        for location in locations:
            if location != name:
                self._store.renew_version(location)
        return [location for location in locations if self._lanes.resume_authorized(location) == "resumed"]

    def entries(self) -> Iterator[CredentialInfo]:
        """Yield all, in the order of their names."""
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
        """Remove a credential; return whether there was one."""
        return self._store.remove_credential(name)

    def names(self) -> list[str]:
        """Return the names of all."""
        return self._store.names()

    def reencrypt(self, name: str) -> bool:
        """Encrypt a credential with the first key; return whether it still exists. Safe to repeat.

        Raises:
            VaultError: no key decrypts it.
        """
        while (stored := self._store.read(name)).encrypted:
            encrypted = self._vault.encrypt(name, self._vault.decrypt(name, stored.encrypted))
            if self._store.store_credential(name, encrypted, replaces=stored.version, keep=True):
                return True
        return False
