"""Who renews, and what becomes of a renewal that is overtaken, late or cut short."""

from collections.abc import Callable

import pytest

from lanes.store import LaneStore
from tests.worker.highlevel.conftest import until
from tests.worker.tokens.conftest import Desk, until_usable
from worker.highlevel.outcomes import Kind as OutcomeKind
from worker.highlevel.outcomes import Outcome
from worker.highlevel.sandbox import Fault, Sandbox
from worker.tokens import renewal
from worker.tokens.credential import Credential, Kind, from_fields
from worker.tokens.oauth import Grant, OAuthClient


def test_who_comes_late_to_a_renewal_does_not_renew_again(desk: Desk) -> None:
    """As a process does that was told of the old version before another renewed it."""
    version = desk.put_pair("loc", access_token="")
    until_usable(desk.tokens(), "loc")
    late = desk.tokens()
    late._renewer.renew("loc", version)
    late.close()
    assert len(desk.control.oauth()) == 1
    assert desk.store.read("loc").lock == ""


def test_a_minted_token_after_the_agency_was_renewed(desk: Desk) -> None:
    pair = desk.control.grant(company="agency")
    desk.put("agency:agency", Credential(Kind.OAUTH, pair["access_token"], pair["refresh_token"]))
    desk.control.revoke(company="agency", access_only=True)
    desk.put("loc", Credential(Kind.AGENCY, company_id="agency"))
    token = until_usable(desk.tokens(), "loc")
    assert [(one["grant"], one["status"]) for one in desk.control.oauth()] == [
        ("location", 401),
        ("refresh_token", 200),
        ("location", 200),
    ]
    assert desk.stored("loc").access_token == token.secret
    assert desk.stored("loc").expires_at is not None


def test_an_agency_without_a_token(desk: Desk) -> None:
    desk.put("loc", Credential(Kind.AGENCY, company_id="nobody"))
    tokens = desk.tokens()

    def told() -> bool:
        instead = tokens.of("loc").instead
        return "lanes token set --agency nobody" in str(instead and instead.message)

    until(told, "what is missing")


def test_a_lock_of_a_process_that_died_ends_by_itself(desk: Desk) -> None:
    version = desk.put_pair("loc", access_token="")
    assert desk.store.begin_renewal("loc", version, "dead", 0.3, spends=True).code == "begun"
    tokens = desk.tokens()
    assert tokens.of("loc").instead is not None
    assert desk.control.oauth() == []
    until_usable(tokens, "loc")


def test_a_holder_whose_lock_ran_out_does_not_overwrite_a_newer_pair(desk: Desk) -> None:
    desk.control.fail(Fault(kind="slow_body", endpoint="token", delay_seconds=1, applied=True, times=1))
    desk.put_pair("loc", access_token="")
    tokens = desk.tokens()
    tokens.of("loc")
    until(desk.control.oauth, "the request for a pair")
    desk.put("loc", Credential(Kind.PRIVATE, "by a person"))
    tokens.close()
    assert desk.stored("loc").access_token == "by a person"


def test_a_renewal_that_a_process_left_is_taken_up_though_nobody_wants_to_send(desk: Desk) -> None:
    spent = desk.control.grant("loc")
    version = desk.put("loc", from_fields(spent, desk.now()))
    assert desk.store.begin_renewal("loc", version, "dead", 0.3, spends=True).code == "begun"
    assert isinstance(
        OAuthClient(desk.settings.api_base_url, 5).refresh(spent["refresh_token"], "a", "s", "Location"), Grant
    )
    tokens = desk.tokens()

    def taken_up() -> bool:
        tokens.take_up()
        return desk.store.read("loc").version != version

    until(taken_up, "the pair that the dead process asked for")
    assert [one["stood"] for one in desk.control.oauth()] == ["current", "grace"]
    assert desk.store.unfinished() == []
    tokens.take_up()
    tokens.close()
    assert len(desk.control.oauth()) == 2


def test_it_goes_on_by_itself_while_the_api_gives_the_pair_again(desk: Desk) -> None:
    """Nobody asks a second time, as when the access token is good for minutes and no job is sent."""
    desk.control.fail(Fault(kind="reset", endpoint="token", applied=True, times=2))
    version = desk.put_pair("loc")
    tokens = desk.tokens()
    tokens._renewer.renew("loc", version)
    until(lambda: desk.store.read("loc").version != version, "the next pair")
    assert [one["stood"] for one in desk.control.oauth()] == ["current", "grace", "grace"]


@pytest.mark.parametrize("named", ["locationId", "companyId"])
def test_a_minted_token_of_another_is_not_taken(desk: Desk, named: str) -> None:
    pair = desk.control.grant(company="agency")
    desk.put("agency:agency", Credential(Kind.OAUTH, pair["access_token"], pair["refresh_token"]))
    desk.put("loc", Credential(Kind.AGENCY, company_id="agency"))
    body = {"access_token": "of-another", "expires_in": 99, "locationId": "loc", "companyId": "agency", named: "other"}
    desk.control.fail(Fault(kind="status", status=200, body=body, endpoint="token", times=1))
    token = until_usable(desk.tokens(), "loc")
    assert token.secret != "of-another"
    assert [one["grant"] for one in desk.control.oauth()] == ["location", "location"]


def test_a_pair_of_another_is_not_taken(desk: Desk) -> None:
    body = {"access_token": "of-another", "refresh_token": "r", "expires_in": 99, "locationId": "other"}
    desk.control.fail(Fault(kind="status", status=200, body=body, endpoint="token", times=1))
    desk.put_pair("loc", access_token="")
    assert until_usable(desk.tokens(), "loc").secret != "of-another"
    assert len(desk.control.oauth()) == 2


def test_a_pair_that_the_api_repeats_ends_earlier_than_it_says(
    make_sandbox: Callable[..., Sandbox], lanes: LaneStore
) -> None:
    """It was given 25 s ago, for 20 s, and that answer was lost: its access token has ended, which is no refusal."""
    desk = Desk(lanes, make_sandbox(token_seconds=20))
    version = desk.put_pair("loc")
    first_at = desk.now() - 25
    lanes.client.hset(lanes.key("renewals"), "loc", f"{version} {round(first_at * 1e6)}")
    one = desk.tokens()
    one._renewer.renew("loc", version)
    one.close()
    stored = desk.stored("loc")
    assert stored.expires_at == pytest.approx(first_at + 20, abs=0.001)
    assert not renewal.usable(stored, desk.now())
    refused = Outcome(OutcomeKind.UNAUTHORIZED, 401, "Invalid JWT")
    assert renewal.mendable(stored, refused, desk.now())  # another sent it just before
    assert until_usable(desk.tokens(), "loc").secret != stored.access_token
    desk.close()
