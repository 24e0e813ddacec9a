"""Encrypts and decrypts credentials, which are stored in Redis."""

import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from lanes.errors import SettingsError
from worker.tokens.credential import Credential, CredentialError, read_object


class VaultError(SettingsError):
    """A stored credential cannot be used. The message repeats nothing of it."""


class UndecryptableError(VaultError):
    """There is no key that decrypts it."""


class Vault:
    """Encrypts with the first key and decrypts with any of them (`LANES_SECRET_KEY`, separated by commas)."""

    def __init__(self, keys: SecretStr | None) -> None:
        texts = keys.get_secret_value().split(",") if keys else []
        self._fernet = MultiFernet([Fernet(text.strip()) for text in texts]) if texts else None

    def check(self) -> None:
        """Check that there is a key.

        Raises:
            UndecryptableError: there is none.
        """
        self._keys()

    def encrypt(self, name: str, credential: Credential) -> bytes:
        """Return the encrypted credential, which can be decrypted under this name only.

        Raises:
            UndecryptableError: there is no key.
        """
        return self._keys().encrypt(json.dumps({"name": name, **credential.as_json()}).encode())

    def decrypt(self, name: str, encrypted: bytes) -> Credential:
        """Return the credential that was encrypted under this name.

        Raises:
            UndecryptableError: no key decrypts it.
            VaultError: it was encrypted under another name, or is not a credential.
        """
        try:
            text = self._keys().decrypt(encrypted)
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
