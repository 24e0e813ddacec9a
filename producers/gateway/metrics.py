"""The metrics of the gateway, over all its processes."""

import os
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# `lanes gateway` sets it when there are several processes: each writes its values into a file of this folder.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# Calls that are none, such as unknown paths: labels have few values.
OTHER = "other"
REQUESTS = "lanes_gateway_requests_total", "requests answered", ("call", "status")
SECONDS = "lanes_gateway_request_seconds", "duration of requests, with the time that they wait", ("call",)
ROWS = "lanes_gateway_rows_total", "rows of requests: accepted, duplicate or refused", ("service", "result")

_registry = CollectorRegistry()
_requests = Counter(*REQUESTS, registry=_registry)
_seconds = Histogram(*SECONDS, registry=_registry)
_rows = Counter(*ROWS, registry=_registry)


def exposition() -> bytes:
    """Return the metrics of all processes of this gateway in the text format of Prometheus."""
    if FOLDER_VARIABLE not in os.environ:
        return generate_latest(_registry)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def count_rows(service: str, accepted: int = 0, duplicates: int = 0, refused: int = 0) -> None:
    """Count rows of a service."""
    for result, rows in (("accepted", accepted), ("duplicate", duplicates), ("refused", refused)):
        if rows:
            _rows.labels(service, result).inc(rows)


class Measured:
    """Counts and times the requests of an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            call = _call(scope)
            _requests.labels(call, str(status)).inc()
            _seconds.labels(call).observe(time.perf_counter() - began)


def _call(scope: Scope) -> str:
    route: Any = scope.get("route")
    return OTHER if route is None else f"{scope['method']} {route.path}"
