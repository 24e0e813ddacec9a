"""Both ends of `/_sandbox/...`: asking a sandbox, in whatever process, what it saw, and telling it how to fail."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import pydantic
import requests

from worker.highlevel.sandbox.exchange import Exchange
from worker.highlevel.sandbox.faults import Fault
from worker.highlevel.sandbox.upsert import World

ANSWER_SECONDS = 30

Answer = tuple[int, Any]
Query = Mapping[str, str]


class ControlEndpoints:
    """The server's end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._endpoints: dict[tuple[str, str], Callable[[Query, bytes], Answer]] = {
            ("GET", "health"): self._health,
            ("GET", "account"): self._account,
            ("GET", "requests"): self._requests,
            ("GET", "records"): self._records,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "reset"): self._reset,
        }

    def receive(self, exchange: Exchange, name: str) -> bool:
        """Answer a request for `/_sandbox/<name>`; return whether there is such a thing."""
        endpoint = self._endpoints.get((exchange.request.method or "", name))
        if endpoint is None:
            return False
        status, body = endpoint(dict(parse_qsl(exchange.request.query)), exchange.request.body)
        exchange.end_json(status, body)
        return True

    def _health(self, query: Query, body: bytes) -> Answer:
        del query, body
        return 200, {"healthy": True}

    def _account(self, query: Query, body: bytes) -> Answer:
        del body
        window = query.get("window", str(self._world.settings.burst_window_seconds))
        try:
            return 200, self._world.account.summary(float(window))
        except ValueError:
            return 400, {"message": f"window: must be seconds (it is {window!r})"}

    def _requests(self, query: Query, body: bytes) -> Answer:
        del body
        return 200, [seen.to_dict() for seen in self._world.account.requests(query.get("location"))]

    def _records(self, query: Query, body: bytes) -> Answer:
        del query, body
        return 200, list(self._world.records.by_key().values())

    def _add_fault(self, query: Query, body: bytes) -> Answer:
        del query
        try:
            self._world.faults.add(Fault.model_validate_json(body))
        except pydantic.ValidationError as error:
            problems = error.errors(include_url=False)
            return 400, {"message": "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems)}
        return 200, {}

    def _clear_faults(self, query: Query, body: bytes) -> Answer:
        del query, body
        self._world.faults.clear()
        return 200, {}

    def _reset(self, query: Query, body: bytes) -> Answer:
        del query, body
        self._world.reset()
        return 200, {}


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

    def account(self, window: float | None = None) -> dict[str, Any]:
        """Return the account in numbers (see `Account.summary`); `window` in seconds, by default the burst window."""
        account: dict[str, Any] = self._call("GET", "account", params={"window": window})
        return account

    def requests(self, location: str | None = None) -> list[dict[str, Any]]:
        """Return every request (see `Seen`), or those of one location."""
        seen: list[dict[str, Any]] = self._call("GET", "requests", params={"location": location})
        return seen

    def arrivals(self, location: str) -> list[float]:
        """Return when the requests of a location came, in seconds."""
        return [seen["arrived_at"] for seen in self.requests(location)]

    def records(self) -> list[dict[str, Any]]:
        """Return what the upserts left: every opportunity."""
        records: list[dict[str, Any]] = self._call("GET", "records")
        return records

    def fail(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._call("POST", "faults", data=fault.model_dump_json())

    def clear_faults(self) -> None:
        """Lift all faults."""
        self._call("DELETE", "faults")

    def reset(self) -> None:
        """Let it forget everything, faults too."""
        self._call("POST", "reset")
