"""The sandbox over HTTP: the endpoint as the API has it, and `/_sandbox/...` to ask it what it saw."""

import asyncio
import json
import random
import secrets
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Awaitable
from dataclasses import asdict
from functools import partial
from typing import Any

import pydantic
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from worker.highlevel.sandbox import contract
from worker.highlevel.sandbox.account import Account, Seen
from worker.highlevel.sandbox.contract import Refusal
from worker.highlevel.sandbox.faults import Fault, FaultKind, Faults
from worker.highlevel.sandbox.limits import LocationLimits, headers
from worker.highlevel.sandbox.settings import SandboxSettings

HUGE_BYTES = 8 * 1024 * 1024
MAX_REQUEST_BYTES = 1024 * 1024


class World:
    """What one sandbox knows: its settings, its faults, each location's limits, and its account."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.faults = Faults()
        self.account = Account()
        self.limits: dict[str, LocationLimits] = defaultdict(partial(LocationLimits, self.settings))

    def apply(self, body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Let an upsert take effect; return the opportunity, and whether it is new."""
        location, record = body["locationId"], record_of(body)
        known = self.account.records.get((location, record))
        opportunity = known or {"id": f"opp{len(self.account.records) + 1:017}", "status": "open"}
        opportunity.update(body)
        self.account.records[location, record] = opportunity
        return opportunity, known is None


def record_of(body: dict[str, Any]) -> str:
    """Return what an upsert writes within its location (observed: pipeline and contact)."""
    return f"{body.get('pipelineId')}/{body.get('contactId')}"


class SandboxHandler(RequestHandler):
    """A handler that knows its world and logs nothing."""

    world: World

    def initialize(self, world: World) -> None:
        """Take what the application hands to every handler."""
        self.world = world

    def data_received(self, chunk: bytes) -> None:
        """Nothing is streamed."""

    def answer(self, status: int, body: object) -> None:
        """Send JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(body))


class UpsertHandler(SandboxHandler):
    """`POST /opportunities/upsert`."""

    def prepare(self) -> None:
        """Know when the client hangs up."""
        self._hung_up = asyncio.Event()

    def on_connection_close(self) -> None:
        """The client waits no longer."""
        self._hung_up.set()

    async def post(self) -> None:
        """Answer as the API does."""
        world, request = self.world, self.request
        body = contract.parse_body(request.headers, request.body)
        fields = {} if isinstance(body, Refusal) else body
        seen = world.account.arrive(str(fields.get("locationId")), record_of(fields), time.monotonic())
        try:
            await self._answer_one(seen, body)
        except StreamClosedError:
            pass  # the client hung up; it will say so itself
        finally:
            world.account.leave(seen, time.monotonic())

    async def _answer_one(self, seen: Seen, body: dict[str, Any] | Refusal) -> None:
        world, request = self.world, self.request
        refusal = contract.check_edge(request.headers) or contract.check_token(world.settings, request.headers)
        if refusal is None:
            refusal = self._take_from_limits(seen, body)
        await self._take_time(random.uniform(*world.settings.latency))  # noqa: S311 - a wait, not a secret
        if refusal is None and isinstance(body, Refusal):
            refusal = body
        if refusal is None and isinstance(body, dict):
            if fault := world.faults.befalling(body):
                await self._befall(seen, fault, body)
                return
            refusal = contract.check_location(world.settings, request.headers, body.get("locationId"))
            refusal = refusal or contract.check_body(world.settings, body)
            if refusal is None:
                opportunity, new = world.apply(body)
                seen.status = 201 if new else 200
                self.answer(seen.status, {"opportunity": opportunity, "new": new, "traceId": secrets.token_hex(8)})
                return
        if refusal is not None:
            self._refuse(seen, refusal)

    def _take_from_limits(self, seen: Seen, body: dict[str, Any] | Refusal) -> Refusal | None:
        """Count the request against its location's limits; the headers go with whatever is answered."""
        if isinstance(body, Refusal) or not isinstance(body.get("locationId"), str):
            return None
        usage = self.world.limits[body["locationId"]].take(seen.arrived_at)
        for name, value in headers(self.world.settings, usage).items():
            self.set_header(name, value)
        if usage.allowed:
            return None
        seen.provoked = True
        if self.world.settings.retry_after:
            self.set_header("Retry-After", str(int(usage.retry_after) + 1))
        return Refusal(429, "Too Many Requests")

    def _refuse(self, seen: Seen, refusal: Refusal) -> None:
        seen.status = refusal.status
        if refusal.html is None:
            self.answer(refusal.status, refusal.body(secrets.token_hex(8)))
            return
        self.set_status(refusal.status)
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.finish(refusal.html)

    async def _take_time(self, seconds: float) -> None:
        """Wait, but no longer than the client does."""
        if seconds > 0:
            try:
                await asyncio.wait_for(self._hung_up.wait(), seconds)
            except TimeoutError:
                return
            raise StreamClosedError

    async def _befall(self, seen: Seen, fault: Fault, body: dict[str, Any]) -> None:
        seen.fault = fault.kind
        if fault.applied:
            self.world.apply(body)
        for name, value in fault.headers.items():
            self.set_header(name, value)
        match fault.kind:
            case FaultKind.STATUS:
                self._refuse(seen, Refusal(fault.status, fault.message))
            case FaultKind.HTML:
                page = contract.EDGE_PAGE if fault.status == 403 else "<html><body>upstream is ill</body></html>"
                self._refuse(seen, Refusal(fault.status, html=page))
            case FaultKind.TIMEOUT | FaultKind.RESET:
                await self._hang_up(fault)
            case FaultKind.SLOW_BODY:
                await self._drip(seen, fault)
            case FaultKind.INVALID_JSON:
                await self._send_raw(seen, fault.status, b'{"opportunity": {"id": "cut')
            case FaultKind.HUGE_BODY:
                await self._send_raw(seen, fault.status, b'{"message": "' + b"x" * HUGE_BYTES + b'"}')
            case FaultKind.REDIRECT:
                self.set_header("Location", f"{self.request.protocol}://{self.request.host}/elsewhere")
                await self._send_raw(seen, 302, b"")

    async def _send_raw(self, seen: Seen, status: int, body: bytes) -> None:
        seen.status = status
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        await self.finish(body)

    async def _hang_up(self, fault: Fault) -> None:
        """Close the connection without an answer: after a while, or at once with a reset."""
        connection = self.request.connection
        assert isinstance(connection, HTTP1Connection)  # noqa: S101 - Tornado's only kind
        self._auto_finish = False
        if fault.kind is FaultKind.TIMEOUT:
            await self._take_time(fault.seconds)
        else:
            connection.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.stream.close()

    async def _drip(self, seen: Seen, fault: Fault) -> None:
        seen.status = fault.status
        self.set_status(fault.status)
        text = json.dumps(Refusal(fault.status, fault.message).body("slow"))
        for letter in text:
            self.write(letter)
            await self.flush()
            await self._take_time(fault.seconds / len(text))
        await self.finish()


class HealthHandler(SandboxHandler):
    """`/_sandbox/health`."""

    def get(self) -> None:
        """Say that it is up."""
        self.answer(200, {"healthy": True})


class AccountHandler(SandboxHandler):
    """`/_sandbox/account`: the account in numbers."""

    def get(self) -> None:
        """Return it; `?window=` in seconds, by default the burst window."""
        window = float(self.get_query_argument("window", str(self.world.settings.burst_window)))
        self.answer(200, self.world.account.summary(window))


class RequestsHandler(SandboxHandler):
    """`/_sandbox/requests`: every request."""

    def get(self) -> None:
        """Return them all, or those of one `?location=`."""
        location = self.get_query_argument("location", None)
        seen = self.world.account.seen
        self.answer(200, [asdict(one) for one in seen if location is None or one.location_id == location])


class RecordsHandler(SandboxHandler):
    """`/_sandbox/records`: what the upserts left."""

    def get(self) -> None:
        """Return every opportunity."""
        self.answer(200, list(self.world.account.records.values()))


class FaultsHandler(SandboxHandler):
    """`/_sandbox/faults`."""

    def post(self) -> None:
        """Put a fault in force."""
        try:
            self.world.faults.add(Fault.model_validate_json(self.request.body))
        except pydantic.ValidationError as error:
            self.answer(400, {"message": error.errors(include_url=False, include_context=False)})
            return
        self.answer(200, {})

    def delete(self) -> None:
        """Lift all faults."""
        self.world.faults.clear()
        self.answer(200, {})


class ResetHandler(SandboxHandler):
    """`/_sandbox/reset`."""

    def post(self) -> None:
        """Forget everything."""
        self.world.reset()
        self.answer(200, {})


def start(settings: SandboxSettings) -> tuple[HTTPServer, str]:
    """Start a server in the running event loop; return it and its URL."""
    world = {"world": World(settings)}
    application = Application(
        [
            ("/opportunities/upsert", UpsertHandler, world),
            ("/_sandbox/health", HealthHandler, world),
            ("/_sandbox/account", AccountHandler, world),
            ("/_sandbox/requests", RequestsHandler, world),
            ("/_sandbox/records", RecordsHandler, world),
            ("/_sandbox/faults", FaultsHandler, world),
            ("/_sandbox/reset", ResetHandler, world),
        ],
        log_function=lambda handler: None,  # noqa: ARG005 - the account is the log
    )
    server = HTTPServer(application, max_body_size=MAX_REQUEST_BYTES)
    sockets = bind_sockets(settings.port, settings.host, backlog=1024)
    server.add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    return server, f"http://{settings.host}:{port}"


async def run(settings: SandboxSettings, announce: Any, ended: Awaitable[Any]) -> None:
    """Serve until `ended`; tell the URL once it listens."""
    server, url = start(settings)
    announce(url)
    await ended
    server.stop()
    await server.close_all_connections()
