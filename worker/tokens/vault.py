"""Encrypts credentials and decrypts them: what stands in Redis is of no use without the key."""

import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from lanes.errors import SettingsError
from worker.tokens.credential import Credential, CredentialError, read_object


class VaultError(SettingsError):
    """What is stored under a name is of no use here; the message repeats nothing of it."""


class UndecryptableError(VaultError):
    """There is no key, or none that fits."""


class Vault:
    """Seals with the first key and opens with any of them (`LANES_SECRET_KEY`, separated by commas)."""

    def __init__(self, keys: SecretStr | None) -> None:
        texts = keys.get_secret_value().split(",") if keys else []
        self._fernet = MultiFernet([Fernet(text.strip()) for text in texts]) if texts else None

    def check(self) -> None:
        """See that there is a key.

        Raises:
            UndecryptableError: there is none.
        """
        self._keys()

    def encrypt(self, name: str, credential: Credential) -> bytes:
        """Return the encrypted credential, of use under this name alone.

        Raises:
            UndecryptableError: there is no key.
        """
        return self._keys().encrypt(json.dumps({"name": name, **credential.as_json()}).encode())

    def decrypt(self, name: str, sealed: bytes) -> Credential:
        """Return the credential that was sealed under this name.

        Raises:
            UndecryptableError: no key fits.
            VaultError: it was sealed under another name, or is no credential: stored bytes may be anything.
        """
        try:
            text = self._keys().decrypt(sealed)
        except InvalidToken:
            message = f"the stored token of {name} cannot be decrypted: its key is not in LANES_SECRET_KEY"
            raise UndecryptableError(message) from None
        try:
            values = read_object(text.decode("utf-8", "replace"))
            owner = values.pop("name", None)
            credential = Credential.parse(values)
        except CredentialError as error:
            message = f"what is stored as the token of {name} is no credential: {error}"
            raise VaultError(message) from None
        if owner != name:
            message = f"the stored token of {name} is that of another"
            raise VaultError(message)
        return credential

    def _keys(self) -> MultiFernet:
        if self._fernet is None:
            message = (
                "LANES_SECRET_KEY is not set, and tokens are stored encrypted: set the key that the workers have; "
                "only where there is none yet, make one with: lanes token new-key"
            )
            raise UndecryptableError(message)
        return self._fernet


def new_key() -> str:
    """Return a new key."""
    return Fernet.generate_key().decode()
