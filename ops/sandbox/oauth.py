"""`POST /oauth/token` and `POST /oauth/locationToken`, as in the API.

Sources: HighLevel's published specification for fields and answers, and for the 30 s in which a spent refresh token
returns the same pair again. The messages of refusals were observed.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from tornado.iostream import StreamClosedError

from ops.sandbox import contract
from ops.sandbox.contract import ErrorResponse
from ops.sandbox.fault_injection import send_fault, send_hints, trailing_bytes
from ops.sandbox.faults import AROUND_THE_ANSWER, SILENT, Fault, Faults
from ops.sandbox.issuer import Issuer, Owner, TokenPair
from ops.sandbox.responder import BackgroundTasks, HungUpError, Responder
from ops.sandbox.settings import SandboxSettings

TOKEN, LOCATION_TOKEN = "/oauth/token", "/oauth/locationToken"
FORM = "application/x-www-form-urlencoded"
REQUIRED = ("client_id", "client_secret", "grant_type")
INVALID_GRANT = ErrorResponse(400, "invalid_grant: this refresh token is invalid")

Result = TokenPair | ErrorResponse


@dataclass(slots=True)
class TokenRequest:
    """One token request. `refresh_state` is the state of the refresh token on arrival: `current`, `grace` (spent, but
    returns the same pair again), `spent`, `revoked` or `unknown`. `generation` counts the owner's refresh tokens.
    """

    number: int
    path: str
    arrived_at: float
    grant: str = ""
    company_id: str = ""
    location_id: str = ""
    generation: int | None = None
    refresh_state: str | None = None
    status: int | None = None
    fault: str | None = None


class OAuthEndpoint:
    """Both endpoints. `state` returns the current issuer, request log and faults: a reset replaces them."""

    def __init__(
        self,
        settings: SandboxSettings,
        state: Callable[[], tuple[Issuer, list[TokenRequest], Faults]],
        tasks: BackgroundTasks,
    ) -> None:
        self._settings = settings
        self._state = state
        self._tasks = tasks

    def receive(self, responder: Responder) -> None:
        """Answer a request, now or in a task."""
        issuer, token_requests, faults = self._state()
        request = responder.request
        token_request = TokenRequest(len(token_requests) + 1, request.path, time.monotonic())
        token_requests.append(token_request)
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        check = self._check_token if request.path == TOKEN else self._check_location_token
        work = check(issuer, token_request, request.headers, form)
        fault = faults.match({"locationId": token_request.location_id}, "token")
        if fault is None:
            self._answer(responder, token_request, work())
            return
        token_request.fault = fault.kind.value
        applied = fault.applied or fault.kind in AROUND_THE_ANSWER
        self._tasks.start(self._inject(responder, token_request, fault, work() if applied else None))

    def _answer(self, responder: Responder, token_request: TokenRequest, result: Result, trailing: bytes = b"") -> None:
        token_request.status = result.status if isinstance(result, ErrorResponse) else 200
        responder.end_json(token_request.status, self._body(token_request, result), trailing=trailing)

    async def _inject(
        self, responder: Responder, token_request: TokenRequest, fault: Fault, result: Result | None
    ) -> None:
        trace_id = secrets.token_hex(8)
        try:
            if result is not None and fault.kind in AROUND_THE_ANSWER:
                await send_hints(responder, fault)
                self._answer(responder, token_request, result, trailing_bytes(fault, trace_id))
                return
            good = None if result is None else json.dumps(self._body(token_request, result)).encode()
            token_request.status = None if fault.kind in SILENT else fault.answer_status
            await send_fault(responder, fault, {}, trace_id, good)
        except (HungUpError, StreamClosedError):
            token_request.status = None

    def _body(self, token_request: TokenRequest, result: Result) -> dict[str, Any]:
        trace_id = secrets.token_hex(8)
        if isinstance(result, ErrorResponse):
            return result.body(trace_id)
        body = {
            "access_token": result.access_token,
            "token_type": "Bearer",
            "expires_in": result.expires_in,
            "scope": "opportunities.write",
            "userId": "user",
            "traceId": trace_id,
        }
        if token_request.location_id:
            body["locationId"] = token_request.location_id
        if token_request.path == TOKEN:
            kind = "Location" if token_request.location_id else "Company"
            body |= {"refresh_token": result.refresh_token, "userType": kind, "companyId": token_request.company_id}
        return body

    def _check_token(
        self, issuer: Issuer, token_request: TokenRequest, headers: Mapping[str, str], form: Mapping[str, str]
    ) -> Callable[[], Result]:
        """Note the request, and return the function that carries it out."""
        token_request.grant = form.get("grant_type", "")
        refusal = contract.check_edge(headers) or self._check_form(headers, form)
        if refusal is not None:
            return lambda: refusal
        if token_request.grant == "authorization_code":
            return lambda: self._first_pair(issuer, token_request, form.get("code", ""))
        if token_request.grant != "refresh_token":
            return lambda: ErrorResponse(400, "unsupported_grant_type")
        refresh = issuer.find(form.get("refresh_token", ""))
        if refresh is None:
            token_request.refresh_state = "unknown"
            return lambda: INVALID_GRANT
        token_request.company_id, token_request.location_id = refresh.owner
        token_request.generation = refresh.generation
        token_request.refresh_state = refresh.state(token_request.arrived_at, self._settings.grace_seconds)
        return lambda: issuer.rotate(refresh) or INVALID_GRANT

    def _check_form(self, headers: Mapping[str, str], form: Mapping[str, str]) -> ErrorResponse | None:
        if headers.get("Content-Type", "").partition(";")[0].strip().lower() != FORM:
            return ErrorResponse(400, f"Content-Type must be {FORM}")
        missing = [f"{name} should not be empty" for name in REQUIRED if not form.get(name)]
        if missing:
            return ErrorResponse(422, missing, "Unprocessable Entity")
        client = self._settings.oauth_client
        if client is not None and (form["client_id"], form["client_secret"]) != client:
            return ErrorResponse(401, "invalid_client", "Unauthorized")
        return None

    @staticmethod
    def _first_pair(issuer: Issuer, token_request: TokenRequest, code: str) -> Result:
        owner = issuer.spend_code(code)
        if owner is None:
            return ErrorResponse(400, "invalid_grant: this authorization code is invalid")
        token_request.company_id, token_request.location_id = owner
        return issuer.issue(owner)

    def _check_location_token(
        self, issuer: Issuer, token_request: TokenRequest, headers: Mapping[str, str], form: Mapping[str, str]
    ) -> Callable[[], Result]:
        token_request.company_id, token_request.location_id = form.get("companyId", ""), form.get("locationId", "")
        token_request.grant = "location"
        refusal = contract.check_edge(headers) or contract.check_version(headers)
        if refusal is not None:
            return lambda: refusal
        company = issuer.company_of(contract.bearer(headers))
        if company is None:
            return lambda: ErrorResponse(401, "Invalid JWT", "Unauthorized")
        missing = [f"{name} should not be empty" for name in ("companyId", "locationId") if not form.get(name)]
        if missing:
            return lambda: ErrorResponse(422, missing, "Unprocessable Entity")
        if company != token_request.company_id:
            return lambda: ErrorResponse(400, "The token does not belong to this company.")
        return lambda: issuer.issue_access_token(Owner(token_request.company_id, token_request.location_id))
