"""The HTTP server of the sandbox: the API's endpoints, and the control API `/_sandbox/...`."""

import asyncio
import socket
from collections.abc import Callable

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest

from ops.sandbox.contract import ErrorResponse
from ops.sandbox.control import ControlEndpoints
from ops.sandbox.oauth import LOCATION_TOKEN, TOKEN, OAuthEndpoint
from ops.sandbox.responder import BackgroundTasks, Responder
from ops.sandbox.upsert import SandboxState, UpsertEndpoint

UPSERT = ("POST", "/opportunities/upsert")
TOKENS = (("POST", TOKEN), ("POST", LOCATION_TOKEN))
CONTROL = "/_sandbox/"
BACKLOG = 1024
MAX_REQUEST_BYTES = 1024 * 1024


async def run(state: SandboxState, announce: Callable[[str], None], ended: asyncio.Event) -> None:
    """Serve until `ended` is set; calls `announce` with the URL when it listens.

    Raises:
        OSError: the address cannot be used.
    """
    settings, tasks = state.settings, BackgroundTasks()
    upserts = UpsertEndpoint(state, tasks)
    tokens = OAuthEndpoint(settings, lambda: (state.issuer, state.token_requests, state.faults), tasks)
    control = ControlEndpoints(state) if settings.control else None

    def receive(request: HTTPServerRequest) -> None:
        responder = Responder(request)
        if (request.method, request.path) == UPSERT:
            upserts.receive(responder)
        elif (request.method, request.path) in TOKENS:
            tokens.receive(responder)
        elif not (control and request.path.startswith(CONTROL) and control.receive(responder, request.path[10:])):
            refusal = ErrorResponse(404, f"Cannot {request.method} {request.path}", "Not Found")
            responder.end_json(404, refusal.body(""))

    host, family = (f"[{settings.host}]", socket.AF_INET6) if ":" in settings.host else (settings.host, socket.AF_INET)
    listener = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    listener.settimeout(0)
    server = HTTPServer(receive, max_body_size=MAX_REQUEST_BYTES)
    server.add_socket(listener)
    try:
        announce(f"http://{host}:{listener.getsockname()[1]}")
        await ended.wait()
    finally:
        server.stop()
        await tasks.stop()
        await server.close_all_connections()
