"""Both ends of `/_sandbox/...`: asking a sandbox, in whatever process, what it saw, and telling it how to fail."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import pydantic
import requests

from ops.sandbox.faults import Fault
from ops.sandbox.issuer import Owner
from ops.sandbox.responder import Responder
from ops.sandbox.upsert import SandboxState

ANSWER_SECONDS = 30

Answer = tuple[int, Any]
Query = Mapping[str, str]


class ControlEndpoints:
    """The server's end."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._endpoints: dict[tuple[str, str], Callable[[Query, bytes], Answer]] = {
            ("GET", "health"): self._health,
            ("GET", "summary"): self._summary,
            ("GET", "requests"): self._requests,
            ("GET", "records"): self._records,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "limits"): self._set_limits,
            ("POST", "reset"): self._reset,
            ("POST", "grants"): self._grant,
            ("DELETE", "grants"): self._revoke,
            ("GET", "grants"): self._list_secrets,
            ("GET", "oauth"): self._token_requests,
        }

    def receive(self, responder: Responder, name: str) -> bool:
        """Answer a request for `/_sandbox/<name>`; return whether there is such a thing."""
        endpoint = self._endpoints.get((responder.request.method or "", name))
        if endpoint is None:
            return False
        status, body = endpoint(dict(parse_qsl(responder.request.query)), responder.request.body)
        responder.end_json(status, body)
        return True

    def _health(self, query: Query, body: bytes) -> Answer:
        del query, body
        return 200, {"healthy": True}

    def _summary(self, query: Query, body: bytes) -> Answer:
        del body
        window = query.get("window", str(self._state.settings.burst_window_seconds))
        try:
            return 200, self._state.request_log.summary(float(window))
        except ValueError:
            return 400, {"message": f"window: must be seconds (it is {window!r})"}

    def _requests(self, query: Query, body: bytes) -> Answer:
        del body
        return 200, [logged.to_dict() for logged in self._state.request_log.requests(query.get("location"))]

    def _records(self, query: Query, body: bytes) -> Answer:
        del query, body
        return 200, list(self._state.records.by_key().values())

    def _add_fault(self, query: Query, body: bytes) -> Answer:
        del query
        try:
            self._state.faults.add(Fault.model_validate_json(body))
        except pydantic.ValidationError as error:
            problems = error.errors(include_url=False)
            return 400, {"message": "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems)}
        return 200, {}

    def _clear_faults(self, query: Query, body: bytes) -> Answer:
        del query, body
        self._state.faults.clear()
        return 200, {}

    def _set_limits(self, query: Query, body: bytes) -> Answer:
        del body
        given = {name: query.get(name, "") for name in ("burst", "daily")}
        if not query.get("location") or not all(text.isdecimal() and int(text) > 0 for text in given.values() if text):
            return 400, {"message": "location, and burst or daily as numbers from 1 on"}
        limits = self._state.limits[query["location"]]
        limits.burst_limit = int(given["burst"] or limits.burst_limit)
        limits.daily_limit = int(given["daily"] or limits.daily_limit)
        return 200, {}

    def _reset(self, query: Query, body: bytes) -> Answer:
        del query, body
        self._state.reset()
        return 200, {}

    def _grant(self, query: Query, body: bytes) -> Answer:
        del body
        owner = Owner(query.get("company", ""), query.get("location", ""))
        if "code" in query:
            return 200, {"code": self._state.issuer.new_code(owner)}
        return 200, self._state.issuer.issue(owner)._asdict()

    def _revoke(self, query: Query, body: bytes) -> Answer:
        del body
        if "token" in query:
            self._state.issuer.revoke_token(query["token"])
        else:
            owner = Owner(query.get("company", ""), query.get("location", ""))
            self._state.issuer.revoke(owner, access_only="access_only" in query)
        return 200, {}

    def _list_secrets(self, query: Query, body: bytes) -> Answer:
        del query, body
        return 200, list(self._state.issuer.secrets())

    def _token_requests(self, query: Query, body: bytes) -> Answer:
        del query, body
        return 200, [request.to_dict() for request in self._state.token_requests]


class SandboxControl:
    """The client's end.

    Every method raises `requests.RequestException` when the sandbox does not answer, or refuses.

    Args:
        url: that of the sandbox, as it was announced.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def _call(self, method: str, path: str, **options: Any) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            response = session.request(method, f"{self.url}/_sandbox/{path}", timeout=ANSWER_SECONDS, **options)
        response.raise_for_status()
        return response.json()

    def healthy(self) -> bool:
        """Whether the sandbox answers at all."""
        try:
            self._call("GET", "health")
        except requests.RequestException:
            return False
        return True

    def summary(self, window: float | None = None) -> dict[str, Any]:
        """Return the account in numbers (see `RequestLog.summary`); `window` in seconds, by default the burst window."""
        summary: dict[str, Any] = self._call("GET", "summary", params={"window": window})
        return summary

    def requests(self, location: str | None = None) -> list[dict[str, Any]]:
        """Return every request (see `LoggedRequest`), or those of one location."""
        logged: list[dict[str, Any]] = self._call("GET", "requests", params={"location": location})
        return logged

    def arrivals(self, location: str) -> list[float]:
        """Return when the requests of a location came, in seconds."""
        return [logged["arrived_at"] for logged in self.requests(location)]

    def records(self) -> list[dict[str, Any]]:
        """Return what the upserts left: every opportunity."""
        records: list[dict[str, Any]] = self._call("GET", "records")
        return records

    def inject(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._call("POST", "faults", data=fault.model_dump_json())

    def clear_faults(self) -> None:
        """Lift all faults."""
        self._call("DELETE", "faults")

    def set_limits(self, location: str, *, burst: int | None = None, daily: int | None = None) -> None:
        """Change the limits of a location from now on; None leaves one as it is."""
        self._call("POST", "limits", params={"location": location, "burst": burst, "daily": daily})

    def grant(self, location: str = "", company: str = "") -> dict[str, Any]:
        """Give out an OAuth pair for a location, or for an agency: `access_token`, `refresh_token`, `expires_in`."""
        pair: dict[str, Any] = self._call("POST", "grants", params={"location": location, "company": company})
        return pair

    def grant_code(self, location: str = "", company: str = "") -> str:
        """Give out a code, to be exchanged for a first pair."""
        params = {"location": location, "company": company, "code": "1"}
        return str(self._call("POST", "grants", params=params)["code"])

    def revoke(self, location: str = "", company: str = "", *, access_only: bool = False) -> None:
        """Take back every token that was given out for them; with `access_only`, not the refresh token."""
        only = {"access_only": "1"} if access_only else {}
        self._call("DELETE", "grants", params={"location": location, "company": company, **only})

    def revoke_token(self, token: str) -> None:
        """Take back one access token, one of the settings too."""
        self._call("DELETE", "grants", params={"token": token})

    def secrets(self) -> list[str]:
        """Return every token that was ever given out."""
        found: list[str] = self._call("GET", "grants")
        return found

    def oauth(self) -> list[dict[str, Any]]:
        """Return every request for a token (see `TokenRequest`)."""
        token_requests: list[dict[str, Any]] = self._call("GET", "oauth")
        return token_requests

    def reset(self) -> None:
        """Let it forget everything, faults too."""
        self._call("POST", "reset")
