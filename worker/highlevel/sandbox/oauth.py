"""`POST /oauth/token` and `POST /oauth/locationToken`, as the API has them.

Facts: HighLevel's published specification for fields and answers; that a spent refresh token gives the same pair again
for 30 s is documented; the words of a refusal were observed.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qsl

from tornado.iostream import StreamClosedError

from worker.highlevel.sandbox import contract
from worker.highlevel.sandbox.contract import Refusal
from worker.highlevel.sandbox.exchange import Exchange, HungUpError
from worker.highlevel.sandbox.faults import AROUND_THE_ANSWER, SILENT, Fault, Faults
from worker.highlevel.sandbox.issuer import Issuer, Owner, Pair
from worker.highlevel.sandbox.misbehaviour import bytes_behind, misbehave, send_hints
from worker.highlevel.sandbox.settings import SandboxSettings

TOKEN, LOCATION_TOKEN = "/oauth/token", "/oauth/locationToken"
FORM = "application/x-www-form-urlencoded"
REQUIRED = ("client_id", "client_secret", "grant_type")
INVALID_GRANT = Refusal(400, "invalid_grant: this refresh token is invalid")

Result = Pair | Refusal


@dataclass(slots=True)
class Asked:
    """One request for a token. `stood` is how the refresh token stood when it came: `current`, `grace` (spent, and the
    same pair is given again), `spent`, `revoked` or `unknown`; `generation` counts the refresh tokens of its owner.
    """

    number: int
    path: str
    arrived_at: float
    grant: str = ""
    company_id: str = ""
    location_id: str = ""
    generation: int | None = None
    stood: str | None = None
    status: int | None = None
    fault: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what is sent to who asks over HTTP."""
        return asdict(self)


class OAuthEndpoint:
    """Both endpoints, over what the sandbox knows."""

    def __init__(
        self, settings: SandboxSettings, state: Callable[[], tuple[Issuer, list[Asked]]], faults: Callable[[], Faults]
    ) -> None:
        self._settings = settings
        self._state = state
        self._faults = faults
        self._waiting: set[asyncio.Task[None]] = set()

    def receive(self, exchange: Exchange) -> None:
        """Take a request."""
        issuer, account = self._state()
        request = exchange.request
        asked = Asked(len(account) + 1, request.path, time.monotonic())
        account.append(asked)
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        check = self._check_token if request.path == TOKEN else self._check_location_token
        work = check(issuer, asked, request.headers, form)
        fault = self._faults().befalling({"locationId": asked.location_id}, "token")
        if fault is None:
            self._answer(exchange, asked, work())
            return
        asked.fault = fault.kind.value
        applied = fault.applied or fault.kind in AROUND_THE_ANSWER
        task = asyncio.create_task(self._befall(exchange, asked, fault, work() if applied else None))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def stop(self) -> None:
        """Let go of every request that waits."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    def _answer(self, exchange: Exchange, asked: Asked, result: Result, behind: bytes = b"") -> None:
        asked.status = result.status if isinstance(result, Refusal) else 200
        exchange.end_json(asked.status, self._body(asked, result), behind=behind)

    async def _befall(self, exchange: Exchange, asked: Asked, fault: Fault, result: Result | None) -> None:
        trace_id = secrets.token_hex(8)
        try:
            if result is not None and fault.kind in AROUND_THE_ANSWER:
                await send_hints(exchange, fault)
                self._answer(exchange, asked, result, bytes_behind(fault, trace_id))
                return
            good = None if result is None else json.dumps(self._body(asked, result)).encode()
            asked.status = None if fault.kind in SILENT else fault.answer_status
            await misbehave(exchange, fault, {}, trace_id, good)
        except (HungUpError, StreamClosedError):
            asked.status = None

    def _body(self, asked: Asked, result: Result) -> dict[str, Any]:
        trace_id = secrets.token_hex(8)
        if isinstance(result, Refusal):
            return result.body(trace_id)
        body = {
            "access_token": result.access_token,
            "token_type": "Bearer",
            "expires_in": result.expires_in,
            "scope": "opportunities.write",
            "userId": "user",
            "traceId": trace_id,
        }
        if asked.location_id:
            body["locationId"] = asked.location_id
        if asked.path == TOKEN:
            kind = "Location" if asked.location_id else "Company"
            body |= {"refresh_token": result.refresh_token, "userType": kind, "companyId": asked.company_id}
        return body

    def _check_token(
        self, issuer: Issuer, asked: Asked, headers: Mapping[str, str], form: Mapping[str, str]
    ) -> Callable[[], Result]:
        """Note what is asked for, and return what does it."""
        asked.grant = form.get("grant_type", "")
        refusal = contract.check_edge(headers) or self._check_form(headers, form)
        if refusal is not None:
            return lambda: refusal
        if asked.grant == "authorization_code":
            return lambda: self._first_pair(issuer, asked, form.get("code", ""))
        if asked.grant != "refresh_token":
            return lambda: Refusal(400, "unsupported_grant_type")
        refresh = issuer.find(form.get("refresh_token", ""))
        if refresh is None:
            asked.stood = "unknown"
            return lambda: INVALID_GRANT
        asked.company_id, asked.location_id = refresh.owner
        asked.generation = refresh.generation
        asked.stood = refresh.state(asked.arrived_at, self._settings.grace_seconds)
        return lambda: issuer.rotate(refresh) or INVALID_GRANT

    def _check_form(self, headers: Mapping[str, str], form: Mapping[str, str]) -> Refusal | None:
        if headers.get("Content-Type", "").partition(";")[0].strip().lower() != FORM:
            return Refusal(400, f"Content-Type must be {FORM}")
        missing = [f"{name} should not be empty" for name in REQUIRED if not form.get(name)]
        if missing:
            return Refusal(422, missing, "Unprocessable Entity")
        client = self._settings.oauth_client
        if client is not None and (form["client_id"], form["client_secret"]) != client:
            return Refusal(401, "invalid_client", "Unauthorized")
        return None

    @staticmethod
    def _first_pair(issuer: Issuer, asked: Asked, code: str) -> Result:
        owner = issuer.take_code(code)
        if owner is None:
            return Refusal(400, "invalid_grant: this authorization code is invalid")
        asked.company_id, asked.location_id = owner
        return issuer.issue(owner)

    def _check_location_token(
        self, issuer: Issuer, asked: Asked, headers: Mapping[str, str], form: Mapping[str, str]
    ) -> Callable[[], Result]:
        asked.company_id, asked.location_id = form.get("companyId", ""), form.get("locationId", "")
        asked.grant = "location"
        refusal = contract.check_edge(headers) or contract.check_version(headers)
        if refusal is not None:
            return lambda: refusal
        company = issuer.company_of(contract.bearer(headers))
        if company is None:
            return lambda: Refusal(401, "Invalid JWT", "Unauthorized")
        missing = [f"{name} should not be empty" for name in ("companyId", "locationId") if not form.get(name)]
        if missing:
            return lambda: Refusal(422, missing, "Unprocessable Entity")
        if company != asked.company_id:
            return lambda: Refusal(400, "The token does not belong to this company.")
        return lambda: issuer.mint(Owner(asked.company_id, asked.location_id))
