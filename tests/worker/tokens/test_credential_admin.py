"""What a person does with stored credentials."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import SecretStr

from lanes.credentials import AGENCY
from lanes.queue.lane import HoldCause
from lanes.queue.store import LaneStore
from lanes.storage.scripts import Argument
from tests.worker.tokens.conftest import KEY, Harness
from worker.tokens.credential import Credential, CredentialKind
from worker.tokens.credential_admin import CredentialAdmin
from worker.tokens.vault import Vault, VaultError, new_key


def test_a_new_key_in_the_middle_of_renewals(harness: Harness, lanes: LaneStore) -> None:
    """Re-encrypted, interrupted, repeated, during writes of newer credentials: no credential is lost or reverted."""
    new = new_key()
    both = Vault(SecretStr(f"{new},{KEY}"))
    admin = CredentialAdmin(lanes, both)
    versions = {f"loc-{n}": harness.put(f"loc-{n}", Credential(CredentialKind.PRIVATE, f"pit-{n}")) for n in range(40)}

    def replace_each() -> None:
        for name, version in versions.items():
            sealed = harness.vault.encrypt(name, Credential(CredentialKind.PRIVATE, f"newer {name}"))
            assert harness.store.store_credential(name, sealed, replaces=version) > version

    with ThreadPoolExecutor(1) as pool:
        writes = pool.submit(replace_each)
        assert all(admin.reencrypt(name) for name in admin.names())
        writes.result()
    assert all(admin.reencrypt(name) for name in admin.names())
    first = Vault(SecretStr(new))
    for name in versions:
        stored = harness.store.read(name)
        assert first.decrypt(name, stored.encrypted).access_token == f"newer {name}"
    assert admin.reencrypt("nobody") is False


def test_a_credential_that_no_key_decrypts_is_listed_and_not_changed(harness: Harness, lanes: LaneStore) -> None:
    harness.put("loc", Credential(CredentialKind.PRIVATE, "pit"))
    other = CredentialAdmin(lanes, Vault(SecretStr(new_key())))
    [entry] = other.entries()
    assert entry.credential is None
    assert "its key is not in LANES_SECRET_KEY" in entry.note
    with pytest.raises(VaultError):
        other.reencrypt("loc")
    assert harness.stored("loc").access_token == "pit"


class Interposed(LaneStore):
    """A slow store: just before it ends a hold, a person holds the lane."""

    def run(self, name: str, *arguments: Argument) -> Any:
        if name.startswith("resume"):
            LaneStore(self.client).hold("loc", "to look at it", "ada")
        return super().run(name, *arguments)


def test_a_hold_that_was_set_while_a_new_token_resumes_stays(harness: Harness, lanes: LaneStore) -> None:
    lanes.hold("loc", "Invalid JWT", "authorization")
    harness.put("loc", Credential(CredentialKind.PRIVATE, "pit"))
    assert CredentialAdmin(Interposed(lanes.client), harness.vault).resume("loc") == []
    [lane] = lanes.lanes()
    assert (lane.hold, lane.held_by, lane.hold_causes) == ("to look at it", "ada", (HoldCause.OPERATOR,))


def test_a_new_token_ends_only_its_own_hold_cause(harness: Harness, lanes: LaneStore) -> None:
    """Of lanes held by authorization, by a person, and by both; the one that was refused changes nothing."""
    admin = CredentialAdmin(lanes, harness.vault)
    for name in ("refused", "person", "both"):
        harness.put(name, Credential(CredentialKind.PRIVATE, "pit"))
    for name in ("person", "both"):
        lanes.hold(name, "to look at it", "ada")
    for name in ("refused", "both"):
        lanes.hold(name, "Invalid JWT", "authorization")
        assert admin.resume(name) == []
    causes = {lane.location_id: lane.hold_causes for lane in lanes.lanes()}
    both = (HoldCause.OPERATOR, HoldCause.AUTHORIZATION)
    assert causes == {"refused": both[1:], "person": both[:1], "both": both}
    resumed = []
    for name in causes:
        harness.put(name, Credential(CredentialKind.PRIVATE, "another"))
        resumed += admin.resume(name)
    assert resumed == ["refused"]
    causes = {lane.location_id: lane.hold_causes for lane in lanes.lanes()}
    assert causes == {"refused": (), "person": both[:1], "both": both[:1]}


def test_a_new_agency_token_resumes_its_locations(harness: Harness, lanes: LaneStore) -> None:
    """A refusal that is reported afterwards, of a job that went out before, holds nothing."""
    version = harness.put("loc", Credential(CredentialKind.AGENCY, company_id="co"))
    lanes.hold("loc", "the token could not be renewed", "authorization")
    harness.put(f"{AGENCY}co", Credential(CredentialKind.OAUTH, refresh_token="next"))
    assert CredentialAdmin(lanes, harness.vault).resume(f"{AGENCY}co") == ["loc"]
    assert harness.store.read("loc").version > version
    assert harness.stored("loc") == Credential(CredentialKind.AGENCY, company_id="co")
    assert lanes.lanes()[0].hold is None


def test_a_renewed_token_ends_the_refusal_of_the_previous_one(harness: Harness, lanes: LaneStore) -> None:
    """Two workers judged one refusal differently: one renewed the pair, and the other had held the lane meanwhile."""
    version = harness.put_pair("loc")
    lanes.hold("loc", "Invalid JWT", "authorization")
    sealed = harness.store.read("loc").encrypted
    assert harness.store.store_credential("loc", sealed, replaces=version, keep=True) == version
    assert lanes.lanes()[0].hold == "Invalid JWT"
    assert harness.store.store_credential("loc", sealed, replaces=version) > version
    assert lanes.lanes()[0].hold is None
