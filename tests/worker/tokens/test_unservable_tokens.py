"""Tokens that this worker cannot decrypt or renew: its jobs go back, and nobody is refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from tests.worker.tokens.conftest import KEY, Desk, until_usable
from tests.worker.tokens.test_tokens import REFUSED, private
from worker.highlevel.outcomes import Kind as OutcomeKind
from worker.tokens.credential import Credential, Kind
from worker.tokens.vault import Vault, new_key

GARBAGE: dict[str, Callable[[Desk], bytes]] = {
    "another key": lambda _: Vault(SecretStr(new_key())).seal("loc", private("pit")),
    "another name": lambda desk: desk.vault.seal("other", private("pit")),
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
def test_what_this_worker_cannot_use_is_left_to_others_and_no_other_token_is_used(desk: Desk, what: str) -> None:
    desk.put("loc", private("pit"))
    tokens = desk.tokens()
    old = tokens.of("loc")
    desk.store.store_token("loc", GARBAGE[what](desk), keep=True)
    for outcome in (desk.tokens().of("loc").instead, tokens.after(old, REFUSED)):
        assert outcome is not None
        assert (outcome.kind, outcome.wait) == (OutcomeKind.AGAIN, 0.0)
    assert tokens.unservable.name == "worker"
    assert desk.store.unservable("worker") == {"loc"}
    desk.lanes.client.hset(desk.lanes.key("tokens"), "loc", GARBAGE[what](desk))  # not even a version
    outcome = desk.tokens().of("loc").instead
    assert outcome is not None
    assert outcome.kind is OutcomeKind.AGAIN


def test_without_a_key_no_location_with_a_stored_token_is_served(desk: Desk) -> None:
    desk.put("loc", private("pit"))
    desk.settings = desk.settings.model_copy(update={"secret_key": None})
    tokens = desk.tokens()
    assert tokens.unservable.name == ""
    assert tokens.of("other").secret == "default"
    instead = tokens.of("loc").instead
    assert instead is not None
    assert (instead.kind, "LANES_SECRET_KEY is not set" in str(instead.message)) == (OutcomeKind.AGAIN, True)
    assert tokens.unservable.name == "worker"


def test_a_minted_token_goes_on_until_it_ends_where_that_of_its_agency_cannot_be_decrypted(desk: Desk) -> None:
    desk.store.store_token("agency:c", Vault(SecretStr(new_key())).seal("agency:c", Credential(Kind.OAUTH, "a", "r")))
    minted = Credential(Kind.AGENCY, "minted", company_id="c", expires_at=desk.now() + 600, lifetime=600)
    desk.put("loc", minted)
    tokens = desk.tokens()
    token = tokens.of("loc")
    assert (token.secret, desk.store.unservable("worker")) == ("minted", set())
    again = tokens.after(token, REFUSED)
    assert (again.kind, again.wait, desk.store.unservable("worker")) == (OutcomeKind.AGAIN, 0.0, {"loc"})
    desk.put("late", replace(minted, expires_at=desk.now() - 1))
    instead = tokens.of("late").instead
    assert instead is not None
    assert (instead.kind, desk.store.unservable("worker")) == (OutcomeKind.AGAIN, {"loc", "late"})
    assert desk.control.oauth() == []


def test_a_worker_that_does_not_know_the_app_leaves_a_pair_to_those_that_do(desk: Desk) -> None:
    settings = desk.settings
    desk.settings = settings.model_copy(update={"oauth_client_secret": None})
    desk.put_pair("loc", access_token="")
    instead = desk.tokens().of("loc").instead
    assert instead is not None
    assert (instead.kind, instead.wait) == (OutcomeKind.AGAIN, 0.0)
    assert "LANES_OAUTH_CLIENT_ID" in str(instead.message)
    assert (desk.store.unservable("worker"), desk.store.read("loc").lock) == ({"loc"}, "")
    assert desk.control.oauth() == []
    desk.settings = settings
    until_usable(desk.tokens(), "loc")
