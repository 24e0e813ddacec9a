"""Where credentials are kept: versions that fence, and a lock that ends by itself."""

import pytest

from lanes.errors import RedisUnavailableError
from lanes.store import LaneStore, connect
from lanes.token_store import Stored, TokenStore
from tests.lanes.conftest import START, ClockedStore


@pytest.fixture
def tokens(store: ClockedStore) -> TokenStore:
    return TokenStore(store)


def test_what_is_stored_has_the_time_as_its_version(tokens: TokenStore, store: ClockedStore) -> None:
    assert (tokens.read("loc").version, tokens.read("loc").sealed) == (0, b"")
    version = tokens.store_token("loc", b"sealed text")
    stored = tokens.read("loc")
    assert (stored.version, stored.sealed, stored.lock, stored.stored_at) == (version, b"sealed text", "", START)
    # In the same microsecond, too, another credential is another version.
    assert tokens.store_token("loc", b"next") > version
    assert tokens.names() == ["loc"]
    assert store.client.hlen(store.key("tokens")) == 1


def test_a_write_that_comes_too_late_changes_nothing(tokens: TokenStore) -> None:
    """The holder of a lock that ran out must not overwrite what the next one got."""
    old = tokens.store_token("loc", b"old")
    new = tokens.store_token("loc", b"new", replaces=old)
    assert new > old
    tokens.lock("loc", "next", 60)
    assert tokens.store_token("loc", b"late", replaces=old) == 0
    assert tokens.store_token("loc", b"late", replaces=old, keep=True) == 0
    assert (tokens.read("loc").sealed, tokens.read("loc").lock) == (b"new", "next")


def test_what_was_removed_is_not_written_again(tokens: TokenStore) -> None:
    version = tokens.store_token("loc", b"old")
    assert tokens.remove("loc") is True
    assert tokens.remove("loc") is False
    assert tokens.store_token("loc", b"late", replaces=version) == 0
    assert tokens.read("loc").sealed == b""
    assert tokens.names() == []


def test_encrypting_anew_keeps_the_version_and_the_lock(tokens: TokenStore) -> None:
    version = tokens.store_token("loc", b"old key")
    tokens.lock("loc", "holder", 60)
    assert tokens.store_token("loc", b"new key", replaces=version, keep=True) == version
    assert (tokens.read("loc").sealed, tokens.read("loc").lock) == (b"new key", "holder")


def test_one_holds_the_lock(tokens: TokenStore, store: ClockedStore) -> None:
    version = tokens.store_token("loc", b"old")
    assert tokens.lock("loc", "first", 60) is True
    assert tokens.lock("loc", "second", 60) is False
    assert tokens.lock("other", "second", 60) is True
    assert 0 < store.client.pttl(store.key("token_lock", "loc")) <= 60_000
    assert tokens.unlock_token("loc", "second") == "lost"
    assert tokens.read("loc").lock == "first"
    tokens.store_token("loc", b"new", replaces=version)
    assert tokens.lock("loc", "second", 60) is True
    assert tokens.unlock_token("loc", "second") == "unlocked"
    assert tokens.read("loc").lock == ""


def test_a_note_keeps_others_away_for_a_while(tokens: TokenStore, store: ClockedStore) -> None:
    tokens.lock("loc", "first", 60)
    assert tokens.unlock_token("loc", "first", "refused: no", 5) == "unlocked"
    assert tokens.read("loc").note == "refused: no"
    assert tokens.lock("loc", "second", 60) is False
    assert 0 < store.client.pttl(store.key("token_lock", "loc")) <= 5_000
    # A new credential ends it.
    tokens.store_token("loc", b"new")
    assert tokens.lock("loc", "second", 60) is True


def test_a_holder_is_no_note() -> None:
    assert Stored(1, b"x", "0123456789abcdef", 0.0).note == ""


def test_a_full_redis_takes_a_new_credential(tokens: TokenStore, store: ClockedStore) -> None:
    version = tokens.store_token("loc", b"old")
    store.client.config_set("maxmemory", 1)
    try:
        with pytest.raises(RedisUnavailableError, match="refuses"):
            tokens.lock("loc", "holder", 60)
        assert tokens.store_token("loc", b"new", replaces=version) > version
    finally:
        store.client.config_set("maxmemory", 0)


def test_a_redis_that_is_away_is_told() -> None:
    tokens = TokenStore(LaneStore(connect("redis://127.0.0.1:1/0")))
    for call in (lambda: tokens.read("a"), lambda: tokens.store_token("a", b"x"), lambda: tokens.lock("a", "h", 1)):
        with pytest.raises(RedisUnavailableError):
            call()
