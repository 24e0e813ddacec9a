"""What a shift is told: which token, and what its refusal comes to."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from lanes.store import LaneStore, connect
from tests.worker.highlevel.conftest import until
from tests.worker.tokens.conftest import Desk, until_usable
from worker.highlevel.outcomes import Kind as OutcomeKind
from worker.highlevel.outcomes import Outcome
from worker.highlevel.sandbox import Fault, Sandbox
from worker.tokens import tokens as module
from worker.tokens.credential import Credential, Kind
from worker.tokens.pace import PACE
from worker.tokens.tokens import Token, Tokens

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


def test_the_client_of_the_pair_goes_before_that_of_the_settings(
    make_sandbox: Callable[..., Sandbox], lanes: LaneStore
) -> None:
    desk = Desk(lanes, make_sandbox(oauth_client=("other", "other-secret")))
    desk.put_pair("loc", access_token="", client_id="other", client_secret="other-secret")
    until_usable(desk.tokens(), "loc")
    desk.close()


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
