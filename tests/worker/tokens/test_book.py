"""What a person does with stored credentials."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from lanes.store import LaneStore
from tests.worker.tokens.conftest import KEY, Desk
from worker.tokens.book import TokenBook
from worker.tokens.credential import Credential, Kind
from worker.tokens.vault import Vault, VaultError, new_key


def test_a_new_key_in_the_middle_of_renewals(desk: Desk, lanes: LaneStore) -> None:
    """Encrypted anew, interrupted, repeated, beside writes of newer credentials: no credential is lost or set back."""
    new = new_key()
    both = Vault(SecretStr(f"{new},{KEY}"))
    book = TokenBook(lanes, both)
    versions = {f"loc-{n}": desk.put(f"loc-{n}", Credential(Kind.PRIVATE, f"pit-{n}")) for n in range(40)}

    def replace_each() -> None:
        for name, version in versions.items():
            sealed = desk.vault.seal(name, Credential(Kind.PRIVATE, f"newer {name}"))
            assert desk.store.store_token(name, sealed, replaces=version) > version

    with ThreadPoolExecutor(1) as pool:
        writes = pool.submit(replace_each)
        assert all(book.seal_anew(name) for name in book.names())
        writes.result()
    assert all(book.seal_anew(name) for name in book.names())
    first = Vault(SecretStr(new))
    for name in versions:
        stored = desk.store.read(name)
        assert first.open(name, stored.sealed).access_token == f"newer {name}"
    assert book.seal_anew("nobody") is False


def test_a_credential_that_no_key_opens_is_listed_and_not_touched(desk: Desk, lanes: LaneStore) -> None:
    desk.put("loc", Credential(Kind.PRIVATE, "pit"))
    other = TokenBook(lanes, Vault(SecretStr(new_key())))
    [entry] = other.entries()
    assert entry.credential is None
    assert "its key is not in LANES_SECRET_KEY" in entry.note
    with pytest.raises(VaultError):
        other.seal_anew("loc")
    assert desk.stored("loc").access_token == "pit"
