"""Who renews, and what becomes of a renewal that is overtaken, late or cut short."""

from tests.worker.highlevel.conftest import until
from tests.worker.tokens.conftest import Desk, until_usable
from worker.highlevel.sandbox import Fault
from worker.tokens.credential import Credential, Kind


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
    desk.put_pair("loc", access_token="")
    desk.store.lock("loc", "dead", 0.3)
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
