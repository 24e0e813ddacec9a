"""Tokens that this worker cannot decrypt or renew: its jobs are requeued, and none is refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from tests.worker.tokens.conftest import KEY, Harness, until_usable
from tests.worker.tokens.test_tokens import REFUSED, private
from worker.highlevel.outcomes import OutcomeKind
from worker.tokens.credential import Credential, CredentialKind
from worker.tokens.vault import Vault, new_key

GARBAGE: dict[str, Callable[[Harness], bytes]] = {
    "another key": lambda _: Vault(SecretStr(new_key())).encrypt("loc", private("pit")),
    "another name": lambda harness: harness.vault.encrypt("other", private("pit")),
    "no version, no text": lambda _: b"",
    "no ciphertext": lambda _: b"\xff\x00 nothing",
    "no JSON": lambda _: Fernet(KEY).encrypt(b"\xff{"),
    "no object": lambda _: Fernet(KEY).encrypt(b"[1]"),
    "no name": lambda _: Fernet(KEY).encrypt(b'{"kind": "private", "access_token": "pit"}'),
    "a name that is none": lambda _: Fernet(KEY).encrypt(b'{"name": ["loc"], "kind": "private"}'),
    "no kind": lambda _: Fernet(KEY).encrypt(b'{"name": "loc", "access_token": "pit"}'),
    "a kind to come": lambda _: Fernet(KEY).encrypt(b'{"name": "loc", "kind": "x"}'),
    "a field to come": lambda _: Fernet(KEY).encrypt(b'{"name": "loc", "kind": "private", "later": "x"}'),
    "wrong types": lambda _: Fernet(KEY).encrypt(b'{"name": "loc", "kind": "oauth", "expires_at": "x"}'),
    "wrong texts": lambda _: Fernet(KEY).encrypt(b'{"name": "loc", "kind": "private", "access_token": 7}'),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_unusable_tokens_are_left_to_other_workers_and_no_other_token_is_used(harness: Harness, what: str) -> None:
    harness.put("loc", private("pit"))
    tokens = harness.tokens()
    old = tokens.of("loc")
    harness.store.store_credential("loc", GARBAGE[what](harness), keep=True)
    for outcome in (harness.tokens().of("loc").failure_outcome, tokens.judge(old, REFUSED)):
        assert outcome is not None
        assert (outcome.kind, outcome.wait) == (OutcomeKind.REQUEUE, 0.0)
    assert tokens.unservable.name == "worker"
    assert harness.store.unservable("worker") == {"loc"}
    harness.lanes.client.hset(harness.lanes.key("tokens"), "loc", GARBAGE[what](harness))  # not even a version
    outcome = harness.tokens().of("loc").failure_outcome
    assert outcome is not None
    assert outcome.kind is OutcomeKind.REQUEUE


def test_without_a_key_no_location_with_a_stored_token_is_served(harness: Harness) -> None:
    harness.put("loc", private("pit"))
    harness.settings = harness.settings.model_copy(update={"secret_key": None})
    tokens = harness.tokens()
    assert tokens.unservable.name == ""
    assert tokens.of("other").secret == "default"
    failure_outcome = tokens.of("loc").failure_outcome
    assert failure_outcome is not None
    assert (failure_outcome.kind, "LANES_SECRET_KEY is not set" in str(failure_outcome.message)) == (
        OutcomeKind.REQUEUE,
        True,
    )
    assert tokens.unservable.name == "worker"


def test_an_exchanged_token_is_used_until_it_ends_when_its_agencys_cannot_be_decrypted(harness: Harness) -> None:
    harness.store.store_credential(
        "agency:c", Vault(SecretStr(new_key())).encrypt("agency:c", Credential(CredentialKind.OAUTH, "a", "r"))
    )
    minted = Credential(CredentialKind.AGENCY, "minted", company_id="c", expires_at=harness.now() + 600, lifetime=600)
    harness.put("loc", minted)
    tokens = harness.tokens()
    token = tokens.of("loc")
    assert (token.secret, harness.store.unservable("worker")) == ("minted", set())
    again = tokens.judge(token, REFUSED)
    assert (again.kind, again.wait, harness.store.unservable("worker")) == (OutcomeKind.REQUEUE, 0.0, {"loc"})
    harness.put("late", replace(minted, expires_at=harness.now() - 1))
    failure_outcome = tokens.of("late").failure_outcome
    assert failure_outcome is not None
    assert (failure_outcome.kind, harness.store.unservable("worker")) == (OutcomeKind.REQUEUE, {"loc", "late"})
    assert harness.control.oauth() == []


def test_a_worker_that_does_not_know_the_app_leaves_a_pair_to_those_that_do(harness: Harness) -> None:
    settings = harness.settings
    harness.settings = settings.model_copy(update={"oauth_client_secret": None})
    harness.put_pair("loc", access_token="")
    failure_outcome = harness.tokens().of("loc").failure_outcome
    assert failure_outcome is not None
    assert (failure_outcome.kind, failure_outcome.wait) == (OutcomeKind.REQUEUE, 0.0)
    assert "LANES_OAUTH_CLIENT_ID" in str(failure_outcome.message)
    assert (harness.store.unservable("worker"), harness.store.read("loc").lock) == ({"loc"}, "")
    assert harness.control.oauth() == []
    harness.settings = settings
    until_usable(harness.tokens(), "loc")
