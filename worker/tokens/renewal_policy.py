"""When a token is renewed, and when that is of no use. Pure; times in seconds."""

import math
from dataclasses import replace
from datetime import UTC, datetime

from lanes.credentials import AGENCY
from worker.highlevel.outcomes import Outcome, OutcomeKind
from worker.tokens.credential import Credential
from worker.tokens.oauth import Grant
from worker.tokens.renewal_timing import RENEWAL_TIMING

MARGIN = 600.0
MARGIN_OF_LIFETIME = 0.2
JUST_REFRESHED_SECONDS = 60.0
JUST_REFRESHED_OF_LIFETIME = 0.25
# What the API says when another token of the same grant would be refused as well (documented and observed).
NOT_REFRESHABLE = ("scope", "version header")


def renew_at(credential: Credential, chance: float) -> float | None:
    """Return from when a token is renewed ahead of its end; None when that is not known.

    `chance` is from 0 to 1: tokens that were given out together are not all renewed at once.
    """
    if not credential.renewable or credential.expires_at is None:
        return None
    margin = min(MARGIN, MARGIN_OF_LIFETIME * (credential.lifetime or MARGIN))
    return credential.expires_at - margin * (0.5 + 0.5 * chance)


def is_usable(credential: Credential, now: float) -> bool:
    """Whether there is an access token, and its time is not over."""
    return bool(credential.access_token) and (credential.expires_at is None or now < credential.expires_at)


def is_refreshable(credential: Credential, outcome: Outcome, now: float) -> bool:
    """Whether a refused request may succeed with a renewed token. Not so when the token was renewed just before."""
    if outcome.kind is not OutcomeKind.UNAUTHORIZED or outcome.status != 401 or not credential.renewable:
        return False
    if any(words in (outcome.message or "").lower() for words in NOT_REFRESHABLE):
        return False
    return not just_refreshed(credential, now)


def just_refreshed(credential: Credential, now: float) -> bool:
    """Whether a token was renewed just before: then a refusal of it is no matter of time.

    One that the API gave a second time, after its first answer was lost, ends earlier than it says.
    """
    if credential.renewed_at is None:
        return False
    return now - credential.renewed_at < min(
        JUST_REFRESHED_SECONDS, JUST_REFRESHED_OF_LIFETIME * (credential.lifetime or math.inf)
    )


def renewed(credential: Credential, grant: Grant, given_at: float) -> Credential:
    """Return the credential with what the API gave, at `given_at` or later."""
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
    """Return since when a pair may have been in force that was asked for now, and for the first time at `first_at`.

    The API repeats what it gave to the first of these requests, `expires_in` included, though its time runs since then.
    """
    return now if first_at is None else min(now, max(first_at, now - RENEWAL_TIMING.grace))


def explain_lost(name: str, first_at: float, words: str) -> str:
    """Return what a refusal means that comes when the API no longer gives again what it gave once: nobody got it."""
    if "client" in words.lower():
        return words  # it is about the app
    at = datetime.fromtimestamp(first_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    agency, owner = "--agency " if name.startswith(AGENCY) else "", name.removeprefix(AGENCY)
    person = f"a person must authorize the app again: lanes token set {agency}{owner}"
    what = (
        f"no usable answer came to the renewal at {at} UTC, and the API repeats one for {RENEWAL_TIMING.grace:g} s only"
    )
    return f"{what}: the refresh token is spent; {person} (the API says: {words})"
