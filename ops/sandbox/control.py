"""Both ends of the control API `/_sandbox/...`: what a sandbox received, its faults, limits and tokens."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl

import pydantic
import requests

from ops.sandbox.faults import Fault
from ops.sandbox.issuer import Owner
from ops.sandbox.responder import Responder
from ops.sandbox.upsert import SandboxState

ANSWER_SECONDS = 30

Query = Mapping[str, str]


class ControlEndpoints:
    """Serves the control API. An endpoint returns its JSON, None for {}, or raises ValueError for a 400."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._endpoints: dict[tuple[str, str], Callable[[Query, bytes], Any]] = {
            ("GET", "health"): lambda _query, _body: {"healthy": True},
            ("GET", "summary"): self._summary,
            ("GET", "requests"): self._requests,
            ("GET", "records"): lambda _query, _body: list(state.records.by_key().values()),
            ("POST", "faults"): lambda _query, body: state.faults.add(Fault.model_validate_json(body)),
            ("DELETE", "faults"): lambda _query, _body: state.faults.clear(),
            ("POST", "limits"): self._set_limits,
            ("POST", "reset"): lambda _query, _body: state.reset(),
            ("POST", "grants"): self._grant,
            ("DELETE", "grants"): self._revoke,
            ("GET", "grants"): lambda _query, _body: list(state.issuer.secrets()),
            ("GET", "oauth"): lambda _query, _body: [asdict(request) for request in state.token_requests],
        }

    def receive(self, responder: Responder, name: str) -> bool:
        """Answer a request for `/_sandbox/<name>`; return False if there is no such endpoint."""
        endpoint = self._endpoints.get((responder.request.method or "", name))
        if endpoint is None:
            return False
        status = 200
        try:
            result = endpoint(dict(parse_qsl(responder.request.query)), responder.request.body)
        except pydantic.ValidationError as error:
            problems = error.errors(include_url=False)
            status, result = (
                400,
                {"message": "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems)},
            )
        except ValueError as error:
            status, result = 400, {"message": str(error)}
        responder.end_json(status, {} if result is None else result)
        return True

    def _summary(self, query: Query, _body: bytes) -> dict[str, Any]:
        window = query.get("window", str(self._state.settings.burst_window_seconds))
        try:
            seconds = float(window)
        except ValueError:
            raise ValueError(f"window: must be seconds (it is {window!r})") from None
        return self._state.request_log.summary(seconds)

    def _requests(self, query: Query, _body: bytes) -> list[dict[str, Any]]:
        return [logged.to_dict() for logged in self._state.request_log.requests(query.get("location"))]

    def _set_limits(self, query: Query, _body: bytes) -> None:
        given = {name: query.get(name, "") for name in ("burst", "daily")}
        if not query.get("location") or not all(text.isdecimal() and int(text) > 0 for text in given.values() if text):
            raise ValueError("location, and burst or daily as numbers from 1 on")
        limits = self._state.limits[query["location"]]
        limits.burst_limit = int(given["burst"] or limits.burst_limit)
        limits.daily_limit = int(given["daily"] or limits.daily_limit)

    def _grant(self, query: Query, _body: bytes) -> dict[str, Any]:
        owner = Owner(query.get("company", ""), query.get("location", ""))
        if "code" in query:
            return {"code": self._state.issuer.new_code(owner)}
        return self._state.issuer.issue(owner)._asdict()

    def _revoke(self, query: Query, _body: bytes) -> None:
        if "token" in query:
            self._state.issuer.revoke_token(query["token"])
        else:
            owner = Owner(query.get("company", ""), query.get("location", ""))
            self._state.issuer.revoke(owner, access_only="access_only" in query)


class SandboxControl:
    """The client of the control API.

    Every method raises `requests.RequestException` if the sandbox does not answer, or refuses.

    Args:
        url: the URL of the sandbox.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def _call(self, method: str, path: str, data: str | None = None, **params: str | float | None) -> Any:
        url = f"{self.url}/_sandbox/{path}"
        with requests.Session() as session:
            session.trust_env = False
            response = session.request(method, url, params=params, data=data, timeout=ANSWER_SECONDS)
        response.raise_for_status()
        return response.json()

    def healthy(self) -> bool:
        """Whether the sandbox answers."""
        try:
            self._call("GET", "health")
        except requests.RequestException:
            return False
        return True

    def summary(self, window: float | None = None) -> dict[str, Any]:
        """Return `RequestLog.summary`; `window` in seconds, by default the rate window."""
        return dict(self._call("GET", "summary", window=window))

    def requests(self, location: str | None = None) -> list[dict[str, Any]]:
        """Return the requests of all locations or of one (see `LoggedRequest`)."""
        return list(self._call("GET", "requests", location=location))

    def arrivals(self, location: str) -> list[float]:
        """Return the arrival times of a location's requests, in seconds."""
        return [logged["arrived_at"] for logged in self.requests(location)]

    def records(self) -> list[dict[str, Any]]:
        """Return every opportunity."""
        return list(self._call("GET", "records"))

    def inject(self, fault: Fault) -> None:
        """Activate a fault."""
        self._call("POST", "faults", fault.model_dump_json())

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._call("DELETE", "faults")

    def set_limits(self, location: str, *, burst: int | None = None, daily: int | None = None) -> None:
        """Change the limits of a location from now on; None leaves a limit unchanged."""
        self._call("POST", "limits", location=location, burst=burst, daily=daily)

    def grant(self, location: str = "", company: str = "") -> dict[str, Any]:
        """Issue an OAuth pair for a location or an agency: `access_token`, `refresh_token`, `expires_in`."""
        return dict(self._call("POST", "grants", location=location, company=company))

    def grant_code(self, location: str = "", company: str = "") -> str:
        """Issue an authorization code."""
        return str(self._call("POST", "grants", location=location, company=company, code="1")["code"])

    def revoke(self, location: str = "", company: str = "", *, access_only: bool = False) -> None:
        """Revoke every issued token of a location or an agency; with `access_only`, not the refresh tokens."""
        self._call("DELETE", "grants", location=location, company=company, access_only="1" if access_only else None)

    def revoke_token(self, token: str) -> None:
        """Revoke one access token; it may be one of the settings."""
        self._call("DELETE", "grants", token=token)

    def secrets(self) -> list[str]:
        """Return every token ever issued."""
        return list(self._call("GET", "grants"))

    def oauth(self) -> list[dict[str, Any]]:
        """Return every token request (see `TokenRequest`)."""
        return list(self._call("GET", "oauth"))

    def reset(self) -> None:
        """Forget everything, and remove all faults."""
        self._call("POST", "reset")
