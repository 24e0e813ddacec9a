"""Stored tokens are useless without the key, under another name, or after a change."""

import pytest
from pydantic import SecretStr

from lanes.errors import SettingsError
from lanes.settings import WorkerSettings
from worker.tokens.credential import Credential, CredentialKind
from worker.tokens.vault import Vault, VaultError, new_key

OLD, NEW = new_key(), new_key()
SECRET = Credential(CredentialKind.OAUTH, "at-1", "rt-1", "app", "cs-1", expires_at=12.5, lifetime=10, renewed_at=2.5)


def vault(*keys: str) -> Vault:
    return Vault(SecretStr(",".join(keys)))


def test_it_decrypts_what_it_encrypted() -> None:
    sealed = vault(OLD).encrypt("loc", SECRET)
    assert not any(secret in sealed for secret in (b"at-1", b"rt-1", b"cs-1", b"loc"))
    assert vault(OLD).decrypt("loc", sealed) == SECRET


def test_of_several_keys_the_first_encrypts_and_all_decrypt() -> None:
    sealed = vault(OLD).encrypt("loc", SECRET)
    both = vault(NEW, f" {OLD} ")
    assert both.decrypt("loc", sealed) == SECRET
    assert vault(NEW).decrypt("loc", both.encrypt("loc", SECRET)) == SECRET
    with pytest.raises(VaultError, match="cannot be decrypted: its key is not in LANES_SECRET_KEY"):
        vault(NEW).decrypt("loc", sealed)


def test_a_credential_pasted_under_another_name_is_refused() -> None:
    with pytest.raises(VaultError, match="is that of another"):
        vault(OLD).decrypt("loc-2", vault(OLD).encrypt("loc-1", SECRET))


def test_a_changed_text_is_refused() -> None:
    sealed = bytearray(vault(OLD).encrypt("loc", SECRET))
    sealed[40] ^= 1
    with pytest.raises(VaultError):
        vault(OLD).decrypt("loc", bytes(sealed))


def test_without_a_key_nothing_is_encrypted_or_decrypted() -> None:
    for call in (
        lambda: Vault(None).encrypt("loc", SECRET),
        lambda: Vault(None).decrypt("loc", b"x"),
        Vault(None).check,
    ):
        with pytest.raises(VaultError, match="LANES_SECRET_KEY is not set"):
            call()


@pytest.mark.parametrize(
    "key",
    ["min_pause", f"{OLD},", f"{OLD},short", OLD[:-2], "ü" * 44, OLD + "AAAA"],
    ids=["min_pause", "no second", "short second", "cut", "no base64", "too long"],
)
def test_a_wrong_key_is_a_wrong_setting_and_is_not_repeated(key: str) -> None:
    with pytest.raises(SettingsError) as error:
        WorkerSettings.load({"LANES_SECRET_KEY": key}, env_file=None)
    assert str(error.value).startswith("LANES_SECRET_KEY: each key must be 32 random bytes")
    assert key not in str(error.value)


def test_good_keys_are_a_setting() -> None:
    settings = WorkerSettings.load({"LANES_SECRET_KEY": f"{NEW},{OLD}"}, env_file=None)
    assert Vault(settings.secret_key).decrypt("loc", vault(OLD).encrypt("loc", SECRET)) == SECRET
