"""The sandbox over HTTP: the endpoint as the API has it, and `/_sandbox/...` beside it."""

import asyncio
import socket
from collections.abc import Callable

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest

from worker.highlevel.sandbox.contract import Refusal
from worker.highlevel.sandbox.control import ControlEndpoints
from worker.highlevel.sandbox.exchange import Exchange
from worker.highlevel.sandbox.oauth import LOCATION_TOKEN, TOKEN, OAuthEndpoint
from worker.highlevel.sandbox.upsert import UpsertEndpoint, World

UPSERT = ("POST", "/opportunities/upsert")
TOKENS = (("POST", TOKEN), ("POST", LOCATION_TOKEN))
CONTROL = "/_sandbox/"
BACKLOG = 1024
MAX_REQUEST_BYTES = 1024 * 1024


async def run(world: World, announce: Callable[[str], None], ended: asyncio.Event) -> None:
    """Serve until `ended` is set; tell the URL once it listens.

    Raises:
        OSError: it cannot listen there.
    """
    settings = world.settings
    upserts = UpsertEndpoint(world)
    tokens = OAuthEndpoint(settings, lambda: (world.issuer, world.asked), lambda: world.faults)
    control = ControlEndpoints(world) if settings.control else None

    def receive(request: HTTPServerRequest) -> None:
        exchange = Exchange(request)
        if (request.method, request.path) == UPSERT:
            upserts.receive(exchange)
        elif (request.method, request.path) in TOKENS:
            tokens.receive(exchange)
        elif not (control and request.path.startswith(CONTROL) and control.receive(exchange, request.path[10:])):
            refusal = Refusal(404, f"Cannot {request.method} {request.path}", "Not Found")
            exchange.end_json(404, refusal.body(""))

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
        await upserts.stop()
        await tokens.stop()
        await server.close_all_connections()
