"""`POST /opportunities/upsert`, as the API has it."""

import asyncio
import json
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tornado.iostream import StreamClosedError

from worker.highlevel.sandbox import contract
from worker.highlevel.sandbox.account import Account, RecordKey, Seen
from worker.highlevel.sandbox.contract import Refusal
from worker.highlevel.sandbox.exchange import HTML_TYPE, JSON_TYPE, Exchange, HungUpError
from worker.highlevel.sandbox.faults import AROUND_THE_ANSWER, SILENT, Fault, Faults
from worker.highlevel.sandbox.issuer import Issuer
from worker.highlevel.sandbox.limits import LocationLimits, limit_headers, retry_after_header
from worker.highlevel.sandbox.misbehaviour import bytes_behind, misbehave, send_hints
from worker.highlevel.sandbox.oauth import Asked
from worker.highlevel.sandbox.records import Records
from worker.highlevel.sandbox.settings import SandboxSettings


class Limits(dict[str, LocationLimits]):
    """The limits of each location, made when somebody asks for them."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__()
        self._settings = settings

    def __missing__(self, location: str) -> LocationLimits:
        """Return those that the settings give a location."""
        made = self[location] = LocationLimits(self._settings, self._settings.burst_limits.get(location))
        return made


class World:
    """What one sandbox knows: its settings, its faults, each location's limits, the records, and its account."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget everything; a request that is open now is written down in the account that saw it come."""
        self.faults = Faults()
        self.account = Account()
        self.records = Records()
        self.issuer = Issuer(self.settings)
        self.asked: list[Asked] = []
        self.limits = Limits(self.settings)


@dataclass(slots=True)
class Visit:
    """A request on its way through the checks; `refusal` is what it will be answered with, unless all is well."""

    exchange: Exchange
    account: Account
    seen: Seen
    body: Mapping[str, Any]
    refusal: Refusal | None
    headers: dict[str, str] = field(default_factory=dict)
    trace_id: str = field(default_factory=partial(secrets.token_hex, 8))


class UpsertEndpoint:
    """Answers at once when nothing makes it wait, else in a task of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = random.Random(0)  # noqa: S311 - a wait, not a secret
        self._waiting: set[asyncio.Task[None]] = set()

    def receive(self, exchange: Exchange) -> None:
        """Take a request."""
        visit = self._admit(exchange)
        fault = None if visit.refusal else self._world.faults.befalling(visit.body)
        latency = self._chance.uniform(*self._world.settings.latency_seconds)
        if fault is None and latency == 0:
            self._conclude(visit)
            return
        task = asyncio.create_task(self._answer_later(visit, fault, latency))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def stop(self) -> None:
        """Let go of every request that waits."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    def _admit(self, exchange: Exchange) -> Visit:
        """Note the arrival, then check the client, its token, and the limits, in this order."""
        now = time.monotonic()
        world, request = self._world, exchange.request
        body = contract.parse_body(request.headers, request.body)
        fields = {} if isinstance(body, Refusal) else body
        location = contract.location_of(body)
        account = world.account
        seen = account.arrive(RecordKey.of(fields), request.body, now)
        seen.version = request.headers.get("Version")
        refusal = contract.check_edge(request.headers)
        visit = Visit(exchange, account, seen, fields, refusal)
        if refusal is None:
            visit.refusal = contract.check_access(world.settings, world.issuer, request.headers, location)
            if location is not None:
                self._charge(visit, location)
        if visit.refusal is None and isinstance(body, Refusal):
            visit.refusal = body
        return visit

    def _charge(self, visit: Visit, location: str) -> None:
        """Count the request where its token belongs, whatever it is answered; the headers tell what is left."""
        settings, limits, now = self._world.settings, self._world.limits[location], visit.seen.arrived_at
        counts = contract.has_access(self._world.issuer, visit.exchange.request.headers, location)
        usage = limits.take(now) if counts else limits.look(now)
        visit.headers |= limit_headers(settings, usage)
        if visit.refusal is None and not usage.allowed:
            visit.seen.provoked = True
            visit.refusal = contract.TOO_MANY_REQUESTS
            if settings.retry_after:
                visit.headers |= retry_after_header(usage)

    async def _answer_later(self, visit: Visit, fault: Fault | None, latency: float) -> None:
        try:
            await visit.exchange.pause(latency)
            if fault is None:
                self._conclude(visit)
            else:
                await self._befall(visit, fault)
        except (HungUpError, StreamClosedError):
            pass  # written down below: over, and without an answer
        finally:
            visit.account.leave(visit.seen, time.monotonic())

    async def _befall(self, visit: Visit, fault: Fault) -> None:
        visit.seen.fault = fault.kind.value
        if fault.kind in AROUND_THE_ANSWER:
            await send_hints(visit.exchange, fault)
            self._conclude(visit, bytes_behind(fault, visit.trace_id))
            return
        works = fault.applied and self._refuse_body(visit) is None
        good = self._apply(visit) if works else None
        visit.seen.status = None if fault.kind in SILENT else fault.answer_status
        await misbehave(visit.exchange, fault, visit.headers, visit.trace_id, good)

    def _conclude(self, visit: Visit, behind: bytes = b"") -> None:
        refusal = visit.refusal or self._refuse_body(visit)
        headers = {**JSON_TYPE, **visit.headers}
        if refusal is None:
            status = 200 if visit.seen.key in self._world.records else 201
            body = self._apply(visit)
        elif refusal.html is None:
            status, body = refusal.status, json.dumps(refusal.body(visit.trace_id)).encode()
        else:
            status, body, headers = refusal.status, refusal.html.encode(), HTML_TYPE
        # Written down before it is sent: who has the answer finds it in the account.
        visit.seen.status = status
        visit.account.leave(visit.seen, time.monotonic())
        visit.exchange.end(status, headers, body, behind)

    def _refuse_body(self, visit: Visit) -> Refusal | None:
        """Hold the body against the version that the request speaks, which was found to be known."""
        return contract.check_body(self._world.settings, visit.body, visit.seen.version or "")

    def _apply(self, visit: Visit) -> bytes:
        """Let the upsert take effect, and return the body that says so."""
        new = visit.seen.key not in self._world.records
        opportunity = self._world.records.apply(visit.body, datetime.now(UTC).isoformat(timespec="milliseconds"))
        visit.account.apply(visit.seen)
        return json.dumps({"opportunity": opportunity, "new": new, "traceId": visit.trace_id}).encode()
