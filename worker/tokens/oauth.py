"""The HTTP client for `POST /oauth/token` and `POST /oauth/locationToken`. Logs nothing: every body holds a secret."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.highlevel.bounded_post import BoundedPost, prepare
from worker.highlevel.client import user_agent
from worker.highlevel.outcomes import Answer, OutcomeKind, RequestFailure, classify
from worker.highlevel.redaction import redact_answer
from worker.tokens.credential import CredentialError, read_object, seconds
from worker.tokens.renewal_timing import RENEWAL_TIMING

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
LOCATION_TOKEN_PATH = "/oauth/locationToken"  # noqa: S105 - a path
VERSION = "2021-07-28"
NO_OWNER: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Grant:
    """A token that the API gave; `refresh_token` is empty for a minted one, `expires_in` (seconds) None if not told."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: float | None


@dataclass(frozen=True, slots=True)
class TokenDenied:
    """The API said no, and will say so again: a person must act. Its words, without secrets."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class UnspentFailure(RequestFailure):
    """No token, and the API did not take the request, for certain: a refresh token was not spent by it."""

    sent: bool = False


class OAuthClient:
    """Asks for tokens; TLS verified, no redirects, a deadline for each request. Thread-safe.

    Args:
        base_url: that of the API.
        timeout: seconds for a whole request; never more than `RENEWAL_TIMING.attempt_seconds`.
    """

    def __init__(self, base_url: str, timeout: float) -> None:
        self._base_url = base_url
        self.timeout = min(timeout, RENEWAL_TIMING.attempt_seconds)
        self._bounded = BoundedPost()

    def refresh(
        self,
        refresh_token: str,
        client_id: str,
        client_secret: str,
        user_type: str,
        *,
        replaces: str = "",
        owner: str = "",
        within: float = math.inf,
    ) -> Grant | TokenDenied | RequestFailure:
        """Spend a refresh token for the next pair. `user_type` is `Location` or `Company`, `owner` the id of that one.

        A pair of another owner is not taken. It takes at most `within` seconds. `replaces` is the access token of now:
        no message repeats it.
        """
        form = {
            "client_id": client_id,
            "client_secret": client_secret,
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "user_type": user_type,
        }
        answer = self._post(TOKEN_PATH, form, {}, within)
        owners = {"companyId" if user_type == "Company" else "locationId": owner} if owner else {}
        return understand(answer, (refresh_token, client_secret, replaces), pair=True, owners=owners)

    def exchange(
        self, company_id: str, location_id: str, agency_token: str, *, replaces: str = "", within: float = math.inf
    ) -> Grant | TokenDenied | RequestFailure:
        """Have an agency's token mint one for a location, within so many seconds; one of another is not taken.

        It replaces another: no message repeats either.
        """
        form = {"companyId": company_id, "locationId": location_id}
        headers = {"Authorization": f"Bearer {agency_token}", "Version": VERSION}
        answer = self._post(LOCATION_TOKEN_PATH, form, headers, within)
        return understand(answer, (agency_token, replaces), pair=False, owners=form)

    def _post(
        self, path: str, form: Mapping[str, str], headers: Mapping[str, str], within: float
    ) -> Answer | RequestFailure:
        own = {"Accept": "application/json", "User-Agent": user_agent(), **headers}
        answer = self._bounded.send(prepare(self._base_url + path, own, form), min(self.timeout, within))
        if isinstance(answer, RequestFailure) and not answer.sent:
            return UnspentFailure(answer.message, local=answer.local)
        return answer


def understand(
    answer: Answer | RequestFailure, secrets: tuple[str, ...], *, pair: bool, owners: Mapping[str, str] = NO_OWNER
) -> Grant | TokenDenied | RequestFailure:
    """Return what an answer of these endpoints means; with `pair`, a refresh token is promised. Pure.

    A success that does not hold what was promised was cut off: asked again soon, the API says the same. One that names
    another `locationId` or `companyId` than was asked for (`owners`) is not for us; one that names none says nothing.
    No message repeats one of the secrets, nor a token that the answer holds.
    """
    if isinstance(answer, RequestFailure):
        return answer
    fields = _fields(answer)
    access, refresh = fields.get("access_token"), fields.get("refresh_token", "")
    given = (token for token in (access, refresh) if isinstance(token, str))
    outcome = classify(redact_answer(answer, (*secrets, *given)), 0)
    message = outcome.message or f"HTTP {answer.status}"
    if answer.status in (400, 401, 422) or (answer.status == 403 and outcome.kind is not OutcomeKind.RETRY):
        return TokenDenied(answer.status, message)
    if answer.status == 429:
        return UnspentFailure(f"429 {message}")
    # Other than an upsert's, this success promises no opportunity; a failure that its body tells of is one here, too.
    if not 200 <= answer.status < 300 or outcome.kind is OutcomeKind.REFUSED:
        return RequestFailure(f"{answer.status} {message}")
    for name, owner in owners.items():
        if fields.get(name) not in (None, "", owner):
            return RequestFailure(f"the answer names another {name} than was asked for")
    if answer.cut or not _is_token(access) or (pair and not _is_token(refresh)):
        return RequestFailure("the answer does not hold the promised token")
    return Grant(str(access), str(refresh) if pair else "", seconds(fields.get("expires_in")))


def _fields(answer: Answer) -> Mapping[str, Any]:
    try:
        return read_object(answer.body.decode("utf-8", "replace"))
    except CredentialError:
        return {}


def _is_token(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable() and " " not in value
