"""The HTTP client for `POST /oauth/token` and `POST /oauth/locationToken`. It logs nothing: bodies have secrets."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lanes.settings.bare_secret import check_secret
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
    """A token from the API. `refresh_token` may be empty, `expires_in` (seconds) may be unknown."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: float | None


@dataclass(frozen=True, slots=True)
class TokenDenied:
    """A permanent refusal, with the API's message without secrets: a person must act."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class UnspentFailure(RequestFailure):
    """A failure in which the API certainly did not process the request, so the refresh token is not spent."""

    sent: bool = False


class OAuthClient:
    """Requests tokens, in at most `timeout` seconds (and `RENEWAL_TIMING.attempt_seconds`) each. Thread-safe."""

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
        """Exchange a refresh token for the next pair, in at most `within` seconds.

        `user_type` is `Location` or `Company`, `owner` its id: a pair of another owner is rejected. `replaces` is the
        current access token: no message repeats it.
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
        return classify_grant(answer, (refresh_token, client_secret, replaces), pair=True, owners=owners)

    def exchange(
        self, company_id: str, location_id: str, agency_token: str, *, replaces: str = "", within: float = math.inf
    ) -> Grant | TokenDenied | RequestFailure:
        """Get a location's token with its agency's, in at most `within` seconds. One of another location is rejected.

        `replaces` is the current token: no message repeats it.
        """
        form = {"companyId": company_id, "locationId": location_id}
        headers = {"Authorization": f"Bearer {agency_token}", "Version": VERSION}
        answer = self._post(LOCATION_TOKEN_PATH, form, headers, within)
        return classify_grant(answer, (agency_token, replaces), pair=False, owners=form)

    def _post(
        self, path: str, form: Mapping[str, str], headers: Mapping[str, str], within: float
    ) -> Answer | RequestFailure:
        own = {"Accept": "application/json", "User-Agent": user_agent(), **headers}
        answer = self._bounded.send(prepare(self._base_url + path, own, form), min(self.timeout, within))
        if isinstance(answer, RequestFailure) and not answer.sent:
            return UnspentFailure(answer.message, local=answer.local)
        return answer


def classify_grant(
    answer: Answer | RequestFailure, secrets: tuple[str, ...], *, pair: bool, owners: Mapping[str, str] = NO_OWNER
) -> Grant | TokenDenied | RequestFailure:
    """Classify an answer of these endpoints; with `pair`, a refresh token is promised. Pure.

    A success without the promised token is a failure: repeated soon, the request gives the same token. So is a success
    that names another `locationId` or `companyId` than requested (`owners`). No message has a secret or a token.
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
    # REFUSED: a 2xx whose body reports a failure. UNCONFIRMED is normal here: there is no opportunity.
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
    try:
        return isinstance(value, str) and check_secret(value) == value
    except ValueError:
        return False
