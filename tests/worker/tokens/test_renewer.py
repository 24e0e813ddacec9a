"""Which process renews, and what a superseded, late or interrupted renewal does."""

from collections.abc import Callable

import pytest

from lanes.queue.store import LaneStore
from ops.sandbox import Fault, Sandbox
from tests.helpers import until
from tests.worker.tokens.conftest import Harness, until_usable
from worker.highlevel.outcomes import Outcome, OutcomeKind
from worker.tokens import renewal_policy
from worker.tokens.credential import Credential, CredentialKind, from_fields
from worker.tokens.oauth import Grant, OAuthClient


def test_a_process_late_to_a_renewal_does_not_renew_again(harness: Harness) -> None:
    """Like a process that read the old version before another process renewed it."""
    version = harness.put_pair("loc", access_token="")
    until_usable(harness.tokens(), "loc")
    late = harness.tokens()
    late._renewer.renew("loc", version)
    late.close()
    assert len(harness.control.oauth()) == 1
    assert harness.store.read("loc").lock == ""


def test_an_exchanged_token_after_the_agency_was_renewed(harness: Harness) -> None:
    pair = harness.control.grant(company="agency")
    harness.put("agency:agency", Credential(CredentialKind.OAUTH, pair["access_token"], pair["refresh_token"]))
    harness.control.revoke(company="agency", access_only=True)
    harness.put("loc", Credential(CredentialKind.AGENCY, company_id="agency"))
    token = until_usable(harness.tokens(), "loc")
    assert [(one["grant"], one["status"]) for one in harness.control.oauth()] == [
        ("location", 401),
        ("refresh_token", 200),
        ("location", 200),
    ]
    assert harness.stored("loc").access_token == token.secret
    assert harness.stored("loc").expires_at is not None


def test_an_agency_without_a_token(harness: Harness) -> None:
    harness.put("loc", Credential(CredentialKind.AGENCY, company_id="nobody"))
    tokens = harness.tokens()

    def reported() -> bool:
        failure_outcome = tokens.of("loc").failure_outcome
        return "lanes token set --agency nobody" in str(failure_outcome and failure_outcome.message)

    until(reported, "what is missing")


def test_a_lock_of_a_process_that_died_ends_by_itself(harness: Harness) -> None:
    version = harness.put_pair("loc", access_token="")
    assert harness.store.begin_renewal("loc", version, "dead", 0.3, spends=True).code == "begun"
    tokens = harness.tokens()
    assert tokens.of("loc").failure_outcome is not None
    assert harness.control.oauth() == []
    until_usable(tokens, "loc")


def test_a_holder_of_an_expired_lock_does_not_overwrite_a_newer_pair(harness: Harness) -> None:
    harness.control.inject(Fault(kind="slow_body", endpoint="token", delay_seconds=1, applied=True, times=1))
    harness.put_pair("loc", access_token="")
    tokens = harness.tokens()
    tokens.of("loc")
    until(harness.control.oauth, "the request for a pair")
    harness.put("loc", Credential(CredentialKind.PRIVATE, "by a person"))
    tokens.close()
    assert harness.stored("loc").access_token == "by a person"


def test_an_abandoned_renewal_is_continued_even_without_jobs_to_send(harness: Harness) -> None:
    spent = harness.control.grant("loc")
    version = harness.put("loc", from_fields(spent, harness.now()))
    assert harness.store.begin_renewal("loc", version, "dead", 0.3, spends=True).code == "begun"
    assert isinstance(
        OAuthClient(harness.settings.api_base_url, 5).refresh(spent["refresh_token"], "a", "s", "Location"), Grant
    )
    tokens = harness.tokens()

    def taken_up() -> bool:
        tokens.resume_renewals()
        return harness.store.read("loc").version != version

    until(taken_up, "the pair that the dead process asked for")
    assert [one["refresh_state"] for one in harness.control.oauth()] == ["current", "grace"]
    assert harness.store.unfinished_renewals() == []
    tokens.resume_renewals()
    tokens.close()
    assert len(harness.control.oauth()) == 2


def test_it_continues_by_itself_while_the_api_repeats_the_pair(harness: Harness) -> None:
    """Nobody asks a second time, as when the access token is good for minutes and no job is sent."""
    harness.control.inject(Fault(kind="reset", endpoint="token", applied=True, times=2))
    version = harness.put_pair("loc")
    tokens = harness.tokens()
    tokens._renewer.renew("loc", version)
    until(lambda: harness.store.read("loc").version != version, "the next pair")
    assert [one["refresh_state"] for one in harness.control.oauth()] == ["current", "grace", "grace"]


@pytest.mark.parametrize("named", ["locationId", "companyId"])
def test_an_exchanged_token_of_another_location_is_not_taken(harness: Harness, named: str) -> None:
    pair = harness.control.grant(company="agency")
    harness.put("agency:agency", Credential(CredentialKind.OAUTH, pair["access_token"], pair["refresh_token"]))
    harness.put("loc", Credential(CredentialKind.AGENCY, company_id="agency"))
    body = {"access_token": "of-another", "expires_in": 99, "locationId": "loc", "companyId": "agency", named: "other"}
    harness.control.inject(Fault(kind="status", status=200, body=body, endpoint="token", times=1))
    token = until_usable(harness.tokens(), "loc")
    assert token.secret != "of-another"
    assert [one["grant"] for one in harness.control.oauth()] == ["location", "location"]


def test_a_pair_of_another_location_is_not_taken(harness: Harness) -> None:
    body = {"access_token": "of-another", "refresh_token": "r", "expires_in": 99, "locationId": "other"}
    harness.control.inject(Fault(kind="status", status=200, body=body, endpoint="token", times=1))
    harness.put_pair("loc", access_token="")
    assert until_usable(harness.tokens(), "loc").secret != "of-another"
    assert len(harness.control.oauth()) == 2


def test_a_pair_that_the_api_repeats_ends_earlier_than_it_says(
    make_sandbox: Callable[..., Sandbox], lanes: LaneStore
) -> None:
    """It was given 25 s ago, for 20 s, and that answer was lost: its access token has ended, which is no refusal."""
    harness = Harness(lanes, make_sandbox(token_seconds=20))
    version = harness.put_pair("loc")
    first_at = harness.now() - 25
    lanes.client.hset(lanes.key("renewals"), "loc", f"{version} {round(first_at * 1e6)}")
    one = harness.tokens()
    one._renewer.renew("loc", version)
    one.close()
    stored = harness.stored("loc")
    assert stored.expires_at == pytest.approx(first_at + 20, abs=0.001)
    assert not renewal_policy.is_usable(stored, harness.now())
    refused = Outcome(OutcomeKind.UNAUTHORIZED, 401, "Invalid JWT")
    assert renewal_policy.is_refreshable(stored, refused, harness.now())  # another sent it just before
    assert until_usable(harness.tokens(), "loc").secret != stored.access_token
    harness.close()
