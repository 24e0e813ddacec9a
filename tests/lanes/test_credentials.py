"""The store of credentials: versions that fence, and a lock that expires."""

import pytest

from lanes.checks.consistency import check_consistency
from lanes.credentials import CredentialStore, StoredCredential
from lanes.errors import RedisUnavailableError
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from tests.lanes.conftest import START, ClockedStore


@pytest.fixture
def tokens(store: ClockedStore) -> CredentialStore:
    return CredentialStore(store)


def lock(tokens: CredentialStore, name: str, holder: str, version: int) -> bool:
    return tokens.begin_renewal(name, version, holder, 60, spends=True).code == "begun"


def test_what_is_stored_has_the_time_as_its_version(tokens: CredentialStore, store: ClockedStore) -> None:
    assert (tokens.read("loc").version, tokens.read("loc").encrypted) == (0, b"")
    version = tokens.store_credential("loc", b"sealed text")
    stored = tokens.read("loc")
    assert (stored.version, stored.encrypted, stored.lock, stored.stored_at) == (version, b"sealed text", "", START)
    # In the same microsecond, too, another credential is another version.
    assert tokens.store_credential("loc", b"next") > version
    assert tokens.names() == ["loc"]
    assert store.client.hlen(store.key("tokens")) == 1


def test_a_write_that_comes_too_late_changes_nothing(tokens: CredentialStore) -> None:
    """The holder of a lock that ran out must not overwrite what the next one got."""
    old = tokens.store_credential("loc", b"old")
    new = tokens.store_credential("loc", b"new", replaces=old)
    assert new > old
    assert lock(tokens, "loc", "next", new)
    assert tokens.store_credential("loc", b"late", replaces=old) == 0
    assert tokens.store_credential("loc", b"late", replaces=old, keep=True) == 0
    assert (tokens.read("loc").encrypted, tokens.read("loc").lock) == (b"new", "next")


def test_what_was_removed_is_not_written_again(tokens: CredentialStore) -> None:
    version = tokens.store_credential("loc", b"old")
    assert tokens.remove_credential("loc") is True
    assert tokens.remove_credential("loc") is False
    assert tokens.store_credential("loc", b"late", replaces=version) == 0
    assert tokens.read("loc").encrypted == b""
    assert tokens.names() == []


def test_reencrypting_keeps_the_version_and_the_lock(tokens: CredentialStore) -> None:
    version = tokens.store_credential("loc", b"old key")
    assert lock(tokens, "loc", "holder", version)
    assert tokens.store_credential("loc", b"new key", replaces=version, keep=True) == version
    assert (tokens.read("loc").encrypted, tokens.read("loc").lock) == (b"new key", "holder")


def test_one_holds_the_lock(tokens: CredentialStore, store: ClockedStore) -> None:
    version = tokens.store_credential("loc", b"old")
    other = tokens.store_credential("other", b"old")
    assert lock(tokens, "loc", "first", version)
    assert not lock(tokens, "loc", "second", version)
    assert lock(tokens, "loc", "first", version)
    assert lock(tokens, "other", "second", other)
    assert 0 < store.client.pttl(store.key("token_lock", "loc")) <= 60_000
    assert tokens.release_token_lock("loc", "second") == "lost"
    assert tokens.read("loc").lock == "first"
    new = tokens.store_credential("loc", b"new", replaces=version)
    assert tokens.begin_renewal("loc", version, "second", 60, spends=True).code == "replaced"
    assert lock(tokens, "loc", "second", new)
    assert tokens.release_token_lock("loc", "second") == "unlocked"
    assert tokens.read("loc").lock == ""


def test_a_note_keeps_other_processes_away_for_a_while(tokens: CredentialStore, store: ClockedStore) -> None:
    version = tokens.store_credential("loc", b"old")
    assert lock(tokens, "loc", "first", version)
    assert tokens.release_token_lock("loc", "first", "refused: no", 5) == "unlocked"
    assert tokens.read("loc").note == "refused: no"
    assert not lock(tokens, "loc", "second", version)
    assert 0 < store.client.pttl(store.key("token_lock", "loc")) <= 5_000
    # A new credential ends it.
    assert lock(tokens, "loc", "second", tokens.store_credential("loc", b"new"))


def test_the_first_request_that_may_spend_a_token_is_noted_until_its_end_is_known(
    tokens: CredentialStore, store: ClockedStore
) -> None:
    def begin(holder: str, version: int, *, spends: bool = True) -> float | None:
        begun = tokens.begin_renewal("loc", version, holder, 60, spends=spends)
        assert (begun.code, begun.now) == ("begun", store.now)
        return begun.first_at

    version = tokens.store_credential("loc", b"old")
    assert begin("mints", version, spends=False) is None
    assert tokens.unfinished_renewals() == []
    tokens.release_token_lock("loc", "mints")
    assert begin("one", version) == START
    store.pass_time(3)
    tokens.release_token_lock("loc", "one")
    assert begin("two", version) == START
    assert tokens.unfinished_renewals() == [("loc", version, 3.0)]
    assert tokens.release_token_lock("loc", "one", unspent=True) == "lost"
    assert tokens.unfinished_renewals() == [("loc", version, 3.0)]
    tokens.release_token_lock("loc", "two", unspent=True)
    assert tokens.unfinished_renewals() == []
    assert begin("three", version) == START + 3
    new = tokens.store_credential("loc", b"new", replaces=version)
    assert tokens.unfinished_renewals() == []
    store.pass_time(4)
    assert begin("four", new) == START + 7
    assert list(check_consistency(store)) == []
    tokens.remove_credential("loc")
    assert tokens.unfinished_renewals() == []
    store.client.hset(store.key("renewals"), mapping={"a": "x", "b": b"\xff 1", "c": ""})
    assert tokens.unfinished_renewals() == []


def test_a_holder_is_no_note() -> None:
    assert StoredCredential(1, b"x", "0123456789abcdef", 0.0).note == ""


def test_a_full_redis_lets_a_credential_be_renewed(tokens: CredentialStore, store: ClockedStore) -> None:
    version = tokens.store_credential("loc", b"old")
    store.client.config_set("maxmemory", 1)
    try:
        assert lock(tokens, "loc", "holder", version)
        assert tokens.store_credential("loc", b"new", replaces=version) > version
    finally:
        store.client.config_set("maxmemory", 0)


def test_a_redis_outage_is_reported() -> None:
    tokens = CredentialStore(LaneStore(connect("redis://127.0.0.1:1/0")))
    for call in (
        lambda: tokens.read("a"),
        lambda: tokens.store_credential("a", b"x"),
        lambda: tokens.begin_renewal("a", 1, "h", 1, spends=True),
        tokens.unfinished_renewals,
        lambda: tokens.wait_for_replica(1),
    ):
        with pytest.raises(RedisUnavailableError):
            call()
