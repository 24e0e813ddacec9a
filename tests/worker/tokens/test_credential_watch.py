"""What a worker's main process knows of credentials that the worker cannot use: when that begins, and when it ends."""

import pytest
import structlog
from pydantic import SecretStr
from structlog.testing import LogCapture

from lanes.token_store import TokenStore
from tests.worker.tokens.conftest import Desk
from worker.shared_flag import SharedFlag
from worker.tokens import credential_watch as module
from worker.tokens.credential import Credential, Kind
from worker.tokens.credential_watch import CredentialWatch, count_if_none_opens
from worker.tokens.unservable import Unservable
from worker.tokens.vault import Vault, new_key

OTHER = Vault(SecretStr(new_key()))
PIT = Credential(Kind.PRIVATE, "pit")


@pytest.fixture
def unservable(desk: Desk) -> Unservable:
    return Unservable(desk.store, "w", SharedFlag())


@pytest.fixture
def watch(desk: Desk, unservable: Unservable, monkeypatch: pytest.MonkeyPatch) -> CredentialWatch:
    monkeypatch.setattr(module, "SCAN_SECONDS", 0.0)
    return CredentialWatch(desk.settings, desk.store, unservable)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    told = LogCapture()
    monkeypatch.setattr(module, "log", structlog.wrap_logger(None, processors=[told]))
    return told


def put_other(store: TokenStore, name: str) -> None:
    """Store a credential with a key that the worker does not have."""
    store.store_token(name, OTHER.seal(name, PIT))


def test_it_is_noted_as_long_as_it_is_so_and_told_twice(
    desk: Desk, watch: CredentialWatch, unservable: Unservable, told: LogCapture
) -> None:
    desk.put("good", PIT)
    watch.look()
    assert (unservable.name, unservable.undecryptable, told.entries) == ("", 0, [])
    for name in ("loc-1", "loc-2", "agency:c"):
        put_other(desk.store, name)
    for _ in range(2):
        watch.look()
        assert (unservable.name, unservable.undecryptable) == ("w", 3)
        assert desk.store.unservable("w") == {"loc-1", "loc-2"}
    desk.lanes.client.delete(desk.lanes.key("unservable", "w"))  # as when Redis was away for longer than it is kept
    watch.look()
    assert desk.store.unservable("w") == {"loc-1", "loc-2"}
    desk.put("loc-1", PIT)
    desk.store.remove_token("agency:c")
    watch.look()
    assert (desk.store.unservable("w"), unservable.undecryptable) == ({"loc-2"}, 1)
    desk.put("loc-2", PIT)
    watch.look()
    assert (unservable.name, unservable.undecryptable, desk.store.unservable("w")) == ("", 0, set())
    assert [entry["event"] for entry in told.entries] == ["credentials_undecryptable", "credentials_decryptable"]
    assert told.entries[0]["credentials"] == 3


def test_between_its_scans_it_looks_at_what_is_wrong_and_at_nothing_else(
    desk: Desk, watch: CredentialWatch, unservable: Unservable, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_other(desk.store, "loc")
    watch.look()
    monkeypatch.setattr(module, "SCAN_SECONDS", 3600.0)
    scans = desk.lanes.client.info("commandstats")["cmdstat_hscan"]["calls"]
    put_other(desk.store, "unseen")
    watch.look()
    assert desk.store.unservable("w") == {"loc"}
    unservable.note("unseen", "as a sender finds it")
    desk.put("loc", PIT)
    watch.look()
    assert (desk.store.unservable("w"), unservable.undecryptable, unservable.name) == ({"unseen"}, 1, "w")
    assert desk.lanes.client.info("commandstats")["cmdstat_hscan"]["calls"] == scans


def test_what_a_sender_alone_found_is_tried_again_after_a_while(
    desk: Desk, watch: CredentialWatch, unservable: Unservable, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put("loc", PIT)
    unservable.note("loc", "its token was refused, and cannot be renewed here")
    for _ in range(2):
        watch.look()
        assert (desk.store.unservable("w"), unservable.name) == ({"loc"}, "w")
    monkeypatch.setattr(module, "TRY_AGAIN_SECONDS", 0.0)
    watch.look()
    assert (desk.store.unservable("w"), unservable.name) == (set(), "")


def test_what_was_removed_is_served_again(desk: Desk, watch: CredentialWatch, unservable: Unservable) -> None:
    put_other(desk.store, "loc")
    watch.look()
    desk.store.remove_token("loc")
    watch.look()
    assert (unservable.name, unservable.undecryptable, desk.store.unservable("w")) == ("", 0, set())


def test_whether_none_can_be_decrypted(desk: Desk) -> None:
    assert count_if_none_opens(desk.store, desk.vault) == 0
    desk.put("loc", PIT)
    assert [count_if_none_opens(desk.store, vault) for vault in (desk.vault, OTHER, Vault(None))] == [0, 1, 1]
    put_other(desk.store, "other")
    assert [count_if_none_opens(desk.store, vault) for vault in (desk.vault, OTHER, Vault(None))] == [0, 0, 2]
    desk.store.remove_token("loc")
    desk.store.store_token("other", desk.vault.seal("another", PIT))  # of no use, and yet its key is there
    assert count_if_none_opens(desk.store, desk.vault) == 0
