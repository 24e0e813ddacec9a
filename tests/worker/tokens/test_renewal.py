"""When a token is renewed, and when that is of no use: tables."""

from dataclasses import replace

import pytest

from worker.highlevel.outcomes import Outcome, OutcomeKind
from worker.tokens import renewal_policy
from worker.tokens.credential import Credential, CredentialKind
from worker.tokens.oauth import Grant

DAY = 86_399.0
PAIR = Credential(CredentialKind.OAUTH, "at", "rt", expires_at=DAY, lifetime=DAY)
PRIVATE = Credential(CredentialKind.PRIVATE, "pit")
MINTED = Credential(CredentialKind.AGENCY, "at", company_id="c", expires_at=DAY, lifetime=DAY)


@pytest.mark.parametrize(
    ("credential", "first", "last"),
    [
        (PAIR, DAY - 600, DAY - 300),
        (MINTED, DAY - 600, DAY - 300),
        (replace(PAIR, lifetime=10), DAY - 2, DAY - 1),
        (replace(PAIR, expires_at=None, lifetime=None), None, None),
        (PRIVATE, None, None),
    ],
)
def test_ahead_of_its_end(credential: Credential, first: float | None, last: float | None) -> None:
    assert renewal_policy.renew_at(credential, 1.0) == first
    assert renewal_policy.renew_at(credential, 0.0) == last


@pytest.mark.parametrize(
    ("credential", "now", "expected"),
    [
        (PAIR, DAY - 0.1, True),
        (PAIR, DAY, False),
        (replace(PAIR, expires_at=None), DAY * 9, True),
        (replace(PAIR, access_token=""), 0, False),
        (PRIVATE, DAY * 9, True),
    ],
)
def test_usable(credential: Credential, now: float, expected: bool) -> None:
    assert renewal_policy.is_usable(credential, now) is expected


NOW = 10_000.0
REFUSED = Outcome(OutcomeKind.UNAUTHORIZED, 401, "Invalid JWT")


@pytest.mark.parametrize(
    ("credential", "outcome", "expected"),
    [
        (PAIR, REFUSED, True),
        (MINTED, REFUSED, True),
        (PAIR, replace(REFUSED, message="Invalid token: access token is invalid"), True),
        (PAIR, replace(REFUSED, message=None), True),
        (PRIVATE, REFUSED, False),
        (PAIR, replace(REFUSED, message="The token is not authorized for this scope."), False),
        (PAIR, replace(REFUSED, message="version header was not found."), False),
        (PAIR, replace(REFUSED, message="version header is invalid"), False),
        (PAIR, replace(REFUSED, status=403, message="The token does not have access to this location."), False),
        (PAIR, replace(REFUSED, kind=OutcomeKind.REFUSED), False),
        (replace(PAIR, renewed_at=NOW - 59), REFUSED, False),
        (replace(PAIR, renewed_at=NOW - 61), REFUSED, True),
        # Given again after its first answer was lost: its time may be over earlier than it says.
        (replace(PAIR, renewed_at=NOW - 3, lifetime=10), REFUSED, True),
        (replace(PAIR, renewed_at=NOW - 2, lifetime=10), REFUSED, False),
        (replace(PAIR, renewed_at=NOW - 2, lifetime=None, expires_at=None), REFUSED, False),
    ],
)
def test_what_a_refresh_can_fix(credential: Credential, outcome: Outcome, expected: bool) -> None:
    assert renewal_policy.is_refreshable(credential, outcome, NOW) is expected


def test_a_lifetime_counts_from_the_request() -> None:
    new = renewal_policy.renewed(PAIR, Grant("at-2", "rt-2", 100.0), 50)
    assert (new.access_token, new.refresh_token, new.expires_at, new.renewed_at) == ("at-2", "rt-2", 150, 50)
    unknown = renewal_policy.renewed(MINTED, Grant("at-2", "", None), 50)
    assert (unknown.expires_at, unknown.lifetime, unknown.company_id) == (None, None, "c")


@pytest.mark.parametrize(("first_at", "expected"), [(None, 100), (100, 100), (90, 90), (70, 70), (5, 70), (101, 100)])
def test_a_repeated_pair_counts_from_the_first_possible_request(first_at: float | None, expected: float) -> None:
    assert renewal_policy.given_at(100, first_at) == expected


def test_a_refusal_after_a_lost_answer_says_what_to_do() -> None:
    reported = renewal_policy.explain_lost("agency:c", 1_800_000_000, "invalid_grant")
    assert reported.startswith("no usable answer came to the renewal at 2027-01-15T08:00:00Z, ")
    assert "lanes token set --agency c (the API says: invalid_grant)" in reported
    assert renewal_policy.explain_lost("loc", 1_800_000_000, "invalid_client") == "invalid_client"
