"""When to renew a token, and when that is useless. Pure; times in seconds."""

import math
from dataclasses import replace

from lanes.credentials import AGENCY
from lanes.times import format_time
from worker.highlevel.outcomes import Outcome, OutcomeKind
from worker.tokens.credential import Credential
from worker.tokens.oauth import Grant
from worker.tokens.renewal_timing import RENEWAL_TIMING

MARGIN = 600.0
MARGIN_OF_LIFETIME = 0.2
JUST_REFRESHED_SECONDS = 60.0
JUST_REFRESHED_OF_LIFETIME = 0.25
# From messages about refusals that a renewed token would get, too (documented and observed).
NOT_REFRESHABLE = ("scope", "version header")


def renew_at(credential: Credential, chance: float) -> float | None:
    """Return when to renew a token, before it expires; None if that is unknown.

    `chance` (0 to 1) spreads the renewals of tokens that were issued together.
    """
    if not credential.renewable or credential.expires_at is None:
        return None
    margin = min(MARGIN, MARGIN_OF_LIFETIME * (credential.lifetime or MARGIN))
    return credential.expires_at - margin * (0.5 + 0.5 * chance)


def is_usable(credential: Credential, now: float) -> bool:
    """Return whether there is an access token that has not expired."""
    return bool(credential.access_token) and (credential.expires_at is None or now < credential.expires_at)


def is_refreshable(credential: Credential, outcome: Outcome, now: float) -> bool:
    """Return whether a refused request may succeed with a renewed token: not if it was renewed just before."""
    if outcome.kind is not OutcomeKind.UNAUTHORIZED or outcome.status != 401 or not credential.renewable:
        return False
    useless = any(words in (outcome.message or "").lower() for words in NOT_REFRESHABLE)
    return not useless and not just_refreshed(credential, now)


def just_refreshed(credential: Credential, now: float) -> bool:
    """Return whether a token was renewed so recently that it cannot have expired.

    A token that the API repeated after a lost answer expires earlier than its `expires_in`.
    """
    if credential.renewed_at is None:
        return False
    recent = min(JUST_REFRESHED_SECONDS, JUST_REFRESHED_OF_LIFETIME * (credential.lifetime or math.inf))
    return now - credential.renewed_at < recent


def renewed(credential: Credential, grant: Grant, given_at: float) -> Credential:
    """Return the credential with a new grant, issued at `given_at` or later."""
    lifetime = grant.expires_in
    return replace(
        credential,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        expires_at=None if lifetime is None else given_at + lifetime,
        lifetime=lifetime,
        renewed_at=given_at,
    )


def given_at(now: float, first_at: float | None) -> float:
    """Return the earliest time at which the API may have issued a pair, requested now and first at `first_at`.

    The API repeats its answer to the first of these requests with the same `expires_in`, but the time runs on.
    """
    return now if first_at is None else min(now, max(first_at, now - RENEWAL_TIMING.grace))


def explain_lost(name: str, first_at: float, words: str) -> str:
    """Return the message for a refusal after the time in which the API repeats a pair that was lost."""
    if "client" in words.lower():
        return words  # about the app
    at = format_time(first_at)
    agency, owner = "--agency " if name.startswith(AGENCY) else "", name.removeprefix(AGENCY)
    person = f"a person must authorize the app again: lanes token set {agency}{owner}"
    grace = RENEWAL_TIMING.grace
    what = f"no usable answer came to the renewal at {at}, and the API repeats one for {grace:g} s only"
    return f"{what}: the refresh token is spent; {person} (the API says: {words})"
