"""What a worker's main process knows of credentials that the worker cannot use: when that begins, and when it ends."""

import pytest
import structlog
from pydantic import SecretStr
from structlog.testing import LogCapture

from lanes.credentials import CredentialStore
from tests.worker.tokens.conftest import Harness
from worker.shared_flag import SharedFlag
from worker.tokens import credential_watch as module
from worker.tokens.credential import Credential, CredentialKind
from worker.tokens.credential_watch import CredentialWatch, count_if_all_undecryptable
from worker.tokens.unservable import Unservable
from worker.tokens.vault import Vault, new_key

OTHER = Vault(SecretStr(new_key()))
PIT = Credential(CredentialKind.PRIVATE, "pit")


@pytest.fixture
def unservable(harness: Harness) -> Unservable:
    return Unservable(harness.store, "w", SharedFlag())


@pytest.fixture
def watch(harness: Harness, unservable: Unservable, monkeypatch: pytest.MonkeyPatch) -> CredentialWatch:
    monkeypatch.setattr(module, "SCAN_SECONDS", 0.0)
    return CredentialWatch(harness.settings, harness.store, unservable)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    logs = LogCapture()
    monkeypatch.setattr(module, "log", structlog.wrap_logger(None, processors=[logs]))
    return logs


def put_other(store: CredentialStore, name: str) -> None:
    """Store a credential with a key that the worker does not have."""
    store.store_credential(name, OTHER.encrypt(name, PIT))


def test_it_is_recorded_while_it_lasts_and_logged_twice(
    harness: Harness, watch: CredentialWatch, unservable: Unservable, logs: LogCapture
) -> None:
    harness.put("good", PIT)
    watch.check()
    assert (unservable.name, unservable.undecryptable, logs.entries) == ("", 0, [])
    for name in ("loc-1", "loc-2", "agency:c"):
        put_other(harness.store, name)
    for _ in range(2):
        watch.check()
        assert (unservable.name, unservable.undecryptable) == ("w", 3)
        assert harness.store.unservable("w") == {"loc-1", "loc-2"}
    harness.lanes.client.delete(
        harness.lanes.key("unservable", "w")
    )  # as when Redis was away for longer than it is kept
    watch.check()
    assert harness.store.unservable("w") == {"loc-1", "loc-2"}
    harness.put("loc-1", PIT)
    harness.store.remove_credential("agency:c")
    watch.check()
    assert (harness.store.unservable("w"), unservable.undecryptable) == ({"loc-2"}, 1)
    harness.put("loc-2", PIT)
    watch.check()
    assert (unservable.name, unservable.undecryptable, harness.store.unservable("w")) == ("", 0, set())
    assert [entry["event"] for entry in logs.entries] == ["credentials_undecryptable", "credentials_decryptable"]
    assert logs.entries[0]["credentials"] == 3


def test_between_scans_only_unusable_credentials_are_read(
    harness: Harness, watch: CredentialWatch, unservable: Unservable, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_other(harness.store, "loc")
    watch.check()
    monkeypatch.setattr(module, "SCAN_SECONDS", 3600.0)
    scans = harness.lanes.client.info("commandstats")["cmdstat_hscan"]["calls"]
    put_other(harness.store, "unseen")
    watch.check()
    assert harness.store.unservable("w") == {"loc"}
    unservable.note("unseen", "as a sender finds it")
    harness.put("loc", PIT)
    watch.check()
    assert (harness.store.unservable("w"), unservable.undecryptable, unservable.name) == ({"unseen"}, 1, "w")
    assert harness.lanes.client.info("commandstats")["cmdstat_hscan"]["calls"] == scans


def test_a_failure_that_only_a_sender_saw_is_tried_again_after_a_while(
    harness: Harness, watch: CredentialWatch, unservable: Unservable, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.put("loc", PIT)
    unservable.note("loc", "its token was refused, and cannot be renewed here")
    for _ in range(2):
        watch.check()
        assert (harness.store.unservable("w"), unservable.name) == ({"loc"}, "w")
    monkeypatch.setattr(module, "TRY_AGAIN_SECONDS", 0.0)
    watch.check()
    assert (harness.store.unservable("w"), unservable.name) == (set(), "")


def test_what_was_removed_is_served_again(harness: Harness, watch: CredentialWatch, unservable: Unservable) -> None:
    put_other(harness.store, "loc")
    watch.check()
    harness.store.remove_credential("loc")
    watch.check()
    assert (unservable.name, unservable.undecryptable, harness.store.unservable("w")) == ("", 0, set())


def test_whether_none_can_be_decrypted(harness: Harness) -> None:
    assert count_if_all_undecryptable(harness.store, harness.vault) == 0
    harness.put("loc", PIT)
    assert [count_if_all_undecryptable(harness.store, vault) for vault in (harness.vault, OTHER, Vault(None))] == [
        0,
        1,
        1,
    ]
    put_other(harness.store, "other")
    assert [count_if_all_undecryptable(harness.store, vault) for vault in (harness.vault, OTHER, Vault(None))] == [
        0,
        0,
        2,
    ]
    harness.store.remove_credential("loc")
    harness.store.store_credential(
        "other", harness.vault.encrypt("another", PIT)
    )  # of no use, and yet its key is there
    assert count_if_all_undecryptable(harness.store, harness.vault) == 0
