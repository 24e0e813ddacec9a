"""Which token a shift gets, and what its refusal leads to."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.sandbox import Fault, Sandbox
from tests.helpers import until
from tests.worker.tokens.conftest import Harness, until_usable
from worker.highlevel.outcomes import Outcome, OutcomeKind
from worker.tokens import provider as module
from worker.tokens.credential import Credential, CredentialKind
from worker.tokens.provider import Token, TokenProvider
from worker.tokens.renewal_timing import RENEWAL_TIMING

REFUSED = Outcome(OutcomeKind.UNAUTHORIZED, 401, "Invalid JWT")


def private(secret: str) -> Credential:
    return Credential(CredentialKind.PRIVATE, secret)


def commands(lanes: LaneStore) -> int:
    return int(lanes.client.info("commandstats").get("cmdstat_hget", {}).get("calls", 0))


def test_a_location_without_its_own_token_uses_that_of_the_settings(harness: Harness) -> None:
    assert harness.tokens().of("loc") == Token("loc", 0, "default")


def test_without_any_it_says_what_to_do_and_looks_again_each_time(harness: Harness) -> None:
    harness.settings = harness.settings.model_copy(update={"api_token": None})
    tokens = harness.tokens()
    failure_outcome = tokens.of("loc").failure_outcome
    assert failure_outcome is not None
    assert failure_outcome.kind is OutcomeKind.UNAUTHORIZED
    assert "lanes token set" in str(failure_outcome.message)
    harness.put("loc", private("pit"))
    assert tokens.of("loc").secret == "pit"


def test_a_token_is_looked_up_once_in_a_while(harness: Harness, lanes: LaneStore) -> None:
    version = harness.put("loc", private("pit"))
    tokens = harness.tokens()
    assert tokens.of("loc") == Token("loc", version, "pit")
    before = commands(lanes)
    for _ in range(100):
        tokens.of("loc")
    assert commands(lanes) == before


def test_another_token_is_found_after_a_while(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_SECONDS", 0.05)
    harness.put("loc", private("old"))
    tokens = harness.tokens()
    assert tokens.of("loc").secret == "old"
    harness.put("loc", private("new"))
    until(lambda: tokens.of("loc").secret == "new", "the new token")


def test_a_refusal_of_a_replaced_token_is_ignored(harness: Harness) -> None:
    harness.put("loc", private("old"))
    tokens = harness.tokens()
    old = tokens.of("loc")
    harness.put("loc", private("new"))
    again = tokens.judge(old, REFUSED)
    assert (again.kind, again.wait, again.status) == (OutcomeKind.REQUEUE, 0.0, 401)
    assert tokens.of("loc").secret == "new"


def test_a_refusal_that_only_an_operator_can_fix_stays_a_refusal(harness: Harness) -> None:
    harness.put("loc", private("pit"))
    tokens = harness.tokens()
    assert tokens.judge(tokens.of("loc"), REFUSED) == REFUSED
    assert tokens.judge(tokens.of("other"), REFUSED) == REFUSED
    assert harness.control.oauth() == []


def test_other_outcomes_pass_unchanged(harness: Harness) -> None:
    harness.put("loc", private("pit-1"))
    tokens = harness.tokens()
    delivered = Outcome(OutcomeKind.DELIVERED, 200)
    assert tokens.judge(tokens.of("loc"), delivered) is delivered


def test_a_refused_access_token_is_renewed_once_for_all(harness: Harness) -> None:
    version = harness.put_pair("loc")
    one, two = harness.tokens(), harness.tokens()
    held = [tokens.of("loc") for tokens in (one, two)]
    harness.control.revoke("loc", access_only=True)
    for tokens, token in zip((one, two), held, strict=True):
        assert tokens.judge(token, REFUSED).kind is OutcomeKind.REQUEUE
    new = [until_usable(tokens, "loc") for tokens in (one, two)]
    assert new[0].secret == new[1].secret != held[0].secret
    assert new[0].version > version
    assert len(harness.control.oauth()) == 1
    assert harness.stored("loc").access_token == new[0].secret


def test_a_second_refusal_right_after_is_final(harness: Harness) -> None:
    harness.put_pair("loc")
    tokens = harness.tokens()
    assert tokens.judge(tokens.of("loc"), REFUSED).kind is OutcomeKind.REQUEUE
    assert tokens.judge(until_usable(tokens, "loc"), REFUSED) == REFUSED
    assert len(harness.control.oauth()) == 1


def test_a_token_is_renewed_ahead_of_its_end_while_the_old_one_goes_on(
    make_sandbox: Callable[..., Sandbox], lanes: LaneStore
) -> None:
    harness = Harness(lanes, make_sandbox(token_seconds=3600))
    version = harness.put_pair("loc", expires_in=300)
    stored = harness.stored("loc")
    harness.put("loc", replace(stored, lifetime=86_399))  # so that its last minutes have begun
    tokens = harness.tokens()
    old = tokens.of("loc")
    assert old.failure_outcome is None
    until(lambda: tokens.of("loc") and harness.control.oauth(), "a request for the next pair")
    until(lambda: harness.stored("loc").access_token != old.secret, "the next pair")
    assert tokens.of("loc").secret == old.secret
    assert old.version > version
    assert len(harness.control.oauth()) == 1
    harness.close()


def test_no_job_waits_for_a_slow_token_endpoint(harness: Harness) -> None:
    harness.control.inject(Fault(kind="slow_body", endpoint="token", delay_seconds=1, applied=True))
    harness.put_pair("loc", access_token="")
    tokens = harness.tokens()
    asked_at = time.monotonic()
    waits = [tokens.of("loc").failure_outcome for _ in range(3)]
    assert time.monotonic() - asked_at < 1
    assert all(outcome and outcome.kind is OutcomeKind.REQUEUE and outcome.status is None for outcome in waits)
    assert all(outcome and 0 < (outcome.wait or 0) <= RENEWAL_TIMING.poll_seconds for outcome in waits)
    until_usable(tokens, "loc")
    assert len(harness.control.oauth()) == 1


def test_a_failing_endpoint_is_asked_again_after_growing_pauses_and_holds_nothing(harness: Harness) -> None:
    harness.control.inject(Fault(kind="status", status=503, endpoint="token", times=2))
    harness.put_pair("loc", access_token="")
    tokens = harness.tokens()
    until_usable(tokens, "loc")
    asked = harness.control.oauth()
    assert [one["status"] for one in asked] == [503, 503, 200]
    assert asked[1]["arrived_at"] - asked[0]["arrived_at"] >= 0.25
    assert asked[2]["arrived_at"] - asked[1]["arrived_at"] >= 0.5


def test_a_refused_refresh_is_known_to_every_process_and_requested_once(harness: Harness) -> None:
    harness.put_pair("loc", access_token="")
    harness.control.revoke("loc")
    one, two = harness.tokens(), harness.tokens()

    def refused(tokens: TokenProvider) -> bool:
        failure_outcome = tokens.of("loc").failure_outcome
        return failure_outcome is not None and failure_outcome.kind is OutcomeKind.UNAUTHORIZED

    until(lambda: refused(one), "the refusal")
    failure_outcome = two.of("loc").failure_outcome
    assert failure_outcome is not None
    assert failure_outcome.message == "the token could not be renewed: invalid_grant: this refresh token is invalid"
    assert len(harness.control.oauth()) == 1
    # Another pair ends that at once.
    harness.put_pair("loc")
    assert one.of("loc").failure_outcome is None


def test_the_pairs_own_client_precedes_that_of_the_settings(
    make_sandbox: Callable[..., Sandbox], lanes: LaneStore
) -> None:
    harness = Harness(lanes, make_sandbox(oauth_client=("other", "other-secret")))
    harness.put_pair("loc", access_token="", client_id="other", client_secret="other-secret")
    until_usable(harness.tokens(), "loc")
    harness.close()


def test_in_a_redis_outage_known_tokens_work_and_other_jobs_wait(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CACHE_SECONDS", 0.0)
    harness.put("loc", private("pit"))
    tokens = harness.tokens()
    known = tokens.of("loc")
    monkeypatch.setattr(harness.lanes, "_client", connect("redis://127.0.0.1:1/0"))
    assert tokens.of("loc") == known
    for outcome in (tokens.of("other").failure_outcome, tokens.judge(known, REFUSED)):
        assert outcome is not None
        assert (outcome.kind, outcome.wait) == (OutcomeKind.REQUEUE, module.REDIS_AWAY_SECONDS)
