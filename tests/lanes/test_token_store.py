"""Where credentials are kept: versions that fence, and a lock that ends by itself."""

import pytest

from lanes.audit import audit
from lanes.errors import RedisUnavailableError
from lanes.store import LaneStore, connect
from lanes.token_store import Stored, TokenStore
from tests.lanes.conftest import START, ClockedStore


@pytest.fixture
def tokens(store: ClockedStore) -> TokenStore:
    return TokenStore(store)


def lock(tokens: TokenStore, name: str, holder: str, version: int) -> bool:
    return tokens.begin_renewal(name, version, holder, 60, spends=True).code == "begun"


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
    assert lock(tokens, "loc", "next", new)
    assert tokens.store_token("loc", b"late", replaces=old) == 0
    assert tokens.store_token("loc", b"late", replaces=old, keep=True) == 0
    assert (tokens.read("loc").sealed, tokens.read("loc").lock) == (b"new", "next")


def test_what_was_removed_is_not_written_again(tokens: TokenStore) -> None:
    version = tokens.store_token("loc", b"old")
    assert tokens.remove_token("loc") is True
    assert tokens.remove_token("loc") is False
    assert tokens.store_token("loc", b"late", replaces=version) == 0
    assert tokens.read("loc").sealed == b""
    assert tokens.names() == []


def test_encrypting_anew_keeps_the_version_and_the_lock(tokens: TokenStore) -> None:
    version = tokens.store_token("loc", b"old key")
    assert lock(tokens, "loc", "holder", version)
    assert tokens.store_token("loc", b"new key", replaces=version, keep=True) == version
    assert (tokens.read("loc").sealed, tokens.read("loc").lock) == (b"new key", "holder")


def test_one_holds_the_lock(tokens: TokenStore, store: ClockedStore) -> None:
    version = tokens.store_token("loc", b"old")
    other = tokens.store_token("other", b"old")
    assert lock(tokens, "loc", "first", version)
    assert not lock(tokens, "loc", "second", version)
    assert lock(tokens, "loc", "first", version)
    assert lock(tokens, "other", "second", other)
    assert 0 < store.client.pttl(store.key("token_lock", "loc")) <= 60_000
    assert tokens.unlock_token("loc", "second") == "lost"
    assert tokens.read("loc").lock == "first"
    new = tokens.store_token("loc", b"new", replaces=version)
    assert tokens.begin_renewal("loc", version, "second", 60, spends=True).code == "replaced"
    assert lock(tokens, "loc", "second", new)
    assert tokens.unlock_token("loc", "second") == "unlocked"
    assert tokens.read("loc").lock == ""


def test_a_note_keeps_others_away_for_a_while(tokens: TokenStore, store: ClockedStore) -> None:
    version = tokens.store_token("loc", b"old")
    assert lock(tokens, "loc", "first", version)
    assert tokens.unlock_token("loc", "first", "refused: no", 5) == "unlocked"
    assert tokens.read("loc").note == "refused: no"
    assert not lock(tokens, "loc", "second", version)
    assert 0 < store.client.pttl(store.key("token_lock", "loc")) <= 5_000
    # A new credential ends it.
    assert lock(tokens, "loc", "second", tokens.store_token("loc", b"new"))


def test_the_first_request_that_may_spend_a_token_is_noted_until_its_end_is_known(
    tokens: TokenStore, store: ClockedStore
) -> None:
    def begin(holder: str, version: int, *, spends: bool = True) -> float | None:
        begun = tokens.begin_renewal("loc", version, holder, 60, spends=spends)
        assert (begun.code, begun.now) == ("begun", store.now)
        return begun.first_at

    version = tokens.store_token("loc", b"old")
    assert begin("mints", version, spends=False) is None
    assert tokens.unfinished() == []
    tokens.unlock_token("loc", "mints")
    assert begin("one", version) == START
    store.pass_time(3)
    tokens.unlock_token("loc", "one")
    assert begin("two", version) == START
    assert tokens.unfinished() == [("loc", version, 3.0)]
    assert tokens.unlock_token("loc", "one", unspent=True) == "lost"
    assert tokens.unfinished() == [("loc", version, 3.0)]
    tokens.unlock_token("loc", "two", unspent=True)
    assert tokens.unfinished() == []
    assert begin("three", version) == START + 3
    new = tokens.store_token("loc", b"new", replaces=version)
    assert tokens.unfinished() == []
    store.pass_time(4)
    assert begin("four", new) == START + 7
    assert list(audit(store)) == []
    tokens.remove_token("loc")
    assert tokens.unfinished() == []
    store.client.hset(store.key("renewals"), mapping={"a": "x", "b": b"\xff 1", "c": ""})
    assert tokens.unfinished() == []


def test_a_holder_is_no_note() -> None:
    assert Stored(1, b"x", "0123456789abcdef", 0.0).note == ""


def test_a_full_redis_lets_a_credential_be_renewed(tokens: TokenStore, store: ClockedStore) -> None:
    version = tokens.store_token("loc", b"old")
    store.client.config_set("maxmemory", 1)
    try:
        assert lock(tokens, "loc", "holder", version)
        assert tokens.store_token("loc", b"new", replaces=version) > version
    finally:
        store.client.config_set("maxmemory", 0)


def test_a_redis_that_is_away_is_told() -> None:
    tokens = TokenStore(LaneStore(connect("redis://127.0.0.1:1/0")))
    for call in (
        lambda: tokens.read("a"),
        lambda: tokens.store_token("a", b"x"),
        lambda: tokens.begin_renewal("a", 1, "h", 1, spends=True),
        tokens.unfinished,
        lambda: tokens.wait_for_replica(1),
    ):
        with pytest.raises(RedisUnavailableError):
            call()
