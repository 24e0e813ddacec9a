"""What a shift is told: which token, and what its refusal comes to."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from lanes.store import LaneStore, connect
from tests.worker.highlevel.conftest import until
from tests.worker.tokens.conftest import KEY, Desk, until_usable
from worker.highlevel.outcomes import Kind as OutcomeKind
from worker.highlevel.outcomes import Outcome
from worker.highlevel.sandbox import Fault, Sandbox
from worker.tokens import tokens as module
from worker.tokens.credential import Credential, Kind
from worker.tokens.pace import PACE
from worker.tokens.tokens import Token, Tokens
from worker.tokens.vault import Vault, new_key

REFUSED = Outcome(OutcomeKind.UNAUTHORIZED, 401, "Invalid JWT")


def private(secret: str) -> Credential:
    return Credential(Kind.PRIVATE, secret)


def commands(lanes: LaneStore) -> int:
    return int(lanes.client.info("commandstats").get("cmdstat_hget", {}).get("calls", 0))


def test_a_location_without_a_token_of_its_own_has_that_of_the_settings(desk: Desk) -> None:
    assert desk.tokens().of("loc") == Token("loc", 0, "default")


def test_without_any_it_says_what_to_do_and_looks_again_each_time(desk: Desk) -> None:
    desk.settings = desk.settings.model_copy(update={"api_token": None})
    tokens = desk.tokens()
    instead = tokens.of("loc").instead
    assert instead is not None
    assert instead.kind is OutcomeKind.UNAUTHORIZED
    assert "lanes token set" in str(instead.message)
    desk.put("loc", private("pit"))
    assert tokens.of("loc").secret == "pit"


def test_a_token_is_looked_up_once_in_a_while(desk: Desk, lanes: LaneStore) -> None:
    version = desk.put("loc", private("pit"))
    tokens = desk.tokens()
    assert tokens.of("loc") == Token("loc", version, "pit")
    before = commands(lanes)
    for _ in range(100):
        tokens.of("loc")
    assert commands(lanes) == before


def test_another_token_is_found_after_a_while(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_SECONDS", 0.05)
    desk.put("loc", private("old"))
    tokens = desk.tokens()
    assert tokens.of("loc").secret == "old"
    desk.put("loc", private("new"))
    until(lambda: tokens.of("loc").secret == "new", "the new token")


def test_a_refusal_of_a_token_that_was_replaced_meanwhile_is_none(desk: Desk) -> None:
    desk.put("loc", private("old"))
    tokens = desk.tokens()
    old = tokens.of("loc")
    desk.put("loc", private("new"))
    again = tokens.after(old, REFUSED)
    assert (again.kind, again.wait, again.status) == (OutcomeKind.AGAIN, 0.0, 401)
    assert tokens.of("loc").secret == "new"


def test_a_refusal_that_only_a_person_can_mend_stays_one(desk: Desk) -> None:
    desk.put("loc", private("pit"))
    tokens = desk.tokens()
    assert tokens.after(tokens.of("loc"), REFUSED) == REFUSED
    assert tokens.after(tokens.of("other"), REFUSED) == REFUSED
    assert desk.control.oauth() == []


def test_what_is_no_refusal_passes(desk: Desk) -> None:
    desk.put("loc", private("pit-1"))
    tokens = desk.tokens()
    delivered = Outcome(OutcomeKind.DELIVERED, 200)
    assert tokens.after(tokens.of("loc"), delivered) is delivered


def test_a_refused_access_token_is_renewed_once_for_all(desk: Desk) -> None:
    version = desk.put_pair("loc")
    one, two = desk.tokens(), desk.tokens()
    held = [tokens.of("loc") for tokens in (one, two)]
    desk.control.revoke("loc", access_only=True)
    for tokens, token in zip((one, two), held, strict=True):
        assert tokens.after(token, REFUSED).kind is OutcomeKind.AGAIN
    new = [until_usable(tokens, "loc") for tokens in (one, two)]
    assert new[0].secret == new[1].secret != held[0].secret
    assert new[0].version > version
    assert len(desk.control.oauth()) == 1
    assert desk.stored("loc").access_token == new[0].secret


def test_a_second_refusal_right_after_is_final(desk: Desk) -> None:
    desk.put_pair("loc")
    tokens = desk.tokens()
    assert tokens.after(tokens.of("loc"), REFUSED).kind is OutcomeKind.AGAIN
    assert tokens.after(until_usable(tokens, "loc"), REFUSED) == REFUSED
    assert len(desk.control.oauth()) == 1


def test_a_token_is_renewed_ahead_of_its_end_while_the_old_one_goes_on(
    make_sandbox: Callable[..., Sandbox], lanes: LaneStore
) -> None:
    desk = Desk(lanes, make_sandbox(token_seconds=3600))
    version = desk.put_pair("loc", expires_in=300)
    stored = desk.stored("loc")
    desk.put("loc", replace(stored, lifetime=86_399))  # so that its last minutes have begun
    tokens = desk.tokens()
    old = tokens.of("loc")
    assert old.instead is None
    until(lambda: tokens.of("loc") and desk.control.oauth(), "a request for the next pair")
    until(lambda: desk.stored("loc").access_token != old.secret, "the next pair")
    assert tokens.of("loc").secret == old.secret
    assert old.version > version
    assert len(desk.control.oauth()) == 1
    desk.close()


def test_nobody_waits_for_a_slow_answer(desk: Desk) -> None:
    desk.control.fail(Fault(kind="slow_body", endpoint="token", delay_seconds=1, applied=True))
    desk.put_pair("loc", access_token="")
    tokens = desk.tokens()
    asked_at = time.monotonic()
    waits = [tokens.of("loc").instead for _ in range(3)]
    assert time.monotonic() - asked_at < 1
    assert all(outcome and outcome.kind is OutcomeKind.AGAIN and outcome.status is None for outcome in waits)
    assert all(outcome and 0 < (outcome.wait or 0) <= PACE.asking for outcome in waits)
    until_usable(tokens, "loc")
    assert len(desk.control.oauth()) == 1


def test_a_failing_endpoint_is_asked_again_after_growing_pauses_and_holds_nothing(desk: Desk) -> None:
    desk.control.fail(Fault(kind="status", status=503, endpoint="token", times=2))
    desk.put_pair("loc", access_token="")
    tokens = desk.tokens()
    until_usable(tokens, "loc")
    asked = desk.control.oauth()
    assert [one["status"] for one in asked] == [503, 503, 200]
    assert asked[1]["arrived_at"] - asked[0]["arrived_at"] >= 0.25
    assert asked[2]["arrived_at"] - asked[1]["arrived_at"] >= 0.5


def test_a_refused_refresh_is_told_to_every_process_and_asked_once(desk: Desk) -> None:
    desk.put_pair("loc", access_token="")
    desk.control.revoke("loc")
    one, two = desk.tokens(), desk.tokens()

    def refused(tokens: Tokens) -> bool:
        instead = tokens.of("loc").instead
        return instead is not None and instead.kind is OutcomeKind.UNAUTHORIZED

    until(lambda: refused(one), "the refusal")
    instead = two.of("loc").instead
    assert instead is not None
    assert instead.message == "the token could not be renewed: invalid_grant: this refresh token is invalid"
    assert len(desk.control.oauth()) == 1
    # Another pair ends that at once.
    desk.put_pair("loc")
    assert one.of("loc").instead is None


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


def test_the_client_of_the_pair_goes_before_that_of_the_settings(
    make_sandbox: Callable[..., Sandbox], lanes: LaneStore
) -> None:
    desk = Desk(lanes, make_sandbox(oauth_client=("other", "other-secret")))
    desk.put_pair("loc", access_token="", client_id="other", client_secret="other-secret")
    until_usable(desk.tokens(), "loc")
    desk.close()


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


def test_while_redis_is_away_what_is_known_goes_on_and_the_rest_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KNOWN_SECONDS", 0.0)
    desk.put("loc", private("pit"))
    tokens = desk.tokens()
    known = tokens.of("loc")
    away = LaneStore(connect("redis://127.0.0.1:1/0"))
    monkeypatch.setattr(desk.lanes, "client", away.client)
    assert tokens.of("loc") == known
    for outcome in (tokens.of("other").instead, tokens.after(known, REFUSED)):
        assert outcome is not None
        assert (outcome.kind, outcome.wait) == (OutcomeKind.AGAIN, module.REDIS_AWAY_SECONDS)
