"""`POST /opportunities/upsert`, as in the API."""

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

from ops.sandbox import contract
from ops.sandbox.contract import ErrorResponse
from ops.sandbox.fault_injection import send_fault, send_hints, trailing_bytes
from ops.sandbox.faults import AROUND_THE_ANSWER, SILENT, Fault, Faults
from ops.sandbox.issuer import Issuer
from ops.sandbox.limits import LocationLimits, limit_headers, retry_after_header
from ops.sandbox.oauth import TokenRequest
from ops.sandbox.records import Records
from ops.sandbox.request_log import LoggedRequest, RecordKey, RequestLog
from ops.sandbox.responder import HTML_TYPE, JSON_TYPE, BackgroundTasks, HungUpError, Responder
from ops.sandbox.settings import SandboxSettings


class LimitsByLocation(dict[str, LocationLimits]):
    """The limits of each location, created on first use."""

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__()
        self._settings = settings

    def __missing__(self, location: str) -> LocationLimits:
        limits = self[location] = LocationLimits(self._settings, self._settings.burst_limits.get(location))
        return limits


class SandboxState:
    """The state of one sandbox: settings, faults, limits, opportunities, tokens and logs."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget everything. A request that is open now stays in the old log."""
        self.faults = Faults()
        self.request_log = RequestLog()
        self.records = Records()
        self.issuer = Issuer(self.settings)
        self.token_requests: list[TokenRequest] = []
        self.limits = LimitsByLocation(self.settings)


@dataclass(slots=True)
class RequestContext:
    """A request during its checks; `refusal` is its answer if a check fails."""

    responder: Responder
    request_log: RequestLog
    logged: LoggedRequest
    body: Mapping[str, Any]
    refusal: ErrorResponse | None
    headers: dict[str, str] = field(default_factory=dict)
    trace_id: str = field(default_factory=partial(secrets.token_hex, 8))


class UpsertEndpoint:
    """Answers upserts: at once, or in a task if there is a latency or a fault."""

    def __init__(self, state: SandboxState, tasks: BackgroundTasks) -> None:
        self._state = state
        self._tasks = tasks
        self._random = random.Random(0)  # noqa: S311 - a latency, not a secret

    def receive(self, responder: Responder) -> None:
        """Answer a request, now or in a task."""
        context = self._admit(responder)
        fault = None if context.refusal else self._state.faults.match(context.body)
        latency = self._random.uniform(*self._state.settings.latency_seconds)
        if fault is None and latency == 0:
            self._conclude(context)
        else:
            self._tasks.start(self._answer_later(context, fault, latency))

    def _admit(self, responder: Responder) -> RequestContext:
        """Log the arrival, then check the client, its token and the limits, in this order."""
        now = time.monotonic()
        state, request = self._state, responder.request
        body = contract.parse_body(request.headers, request.body)
        fields = {} if isinstance(body, ErrorResponse) else body
        location = contract.location_of(body)
        request_log = state.request_log
        logged = request_log.start(RecordKey.of(fields), request.body, now)
        logged.version = request.headers.get("Version")
        refusal = contract.check_edge(request.headers)
        context = RequestContext(responder, request_log, logged, fields, refusal)
        if refusal is None:
            context.refusal = contract.check_access(state.settings, state.issuer, request.headers, location)
            if location is not None:
                self._charge(context, location)
        if context.refusal is None and isinstance(body, ErrorResponse):
            context.refusal = body
        return context

    def _charge(self, context: RequestContext, location: str) -> None:
        """Count the request against the limits if its token has access; add the headers of the limits."""
        settings, limits, now = self._state.settings, self._state.limits[location], context.logged.arrived_at
        counts = contract.has_access(self._state.issuer, context.responder.request.headers, location)
        usage = limits.consume(now) if counts else limits.peek(now)
        context.headers |= limit_headers(settings, usage)
        if context.refusal is None and not usage.allowed:
            context.logged.rate_limited = True
            context.refusal = contract.TOO_MANY_REQUESTS
            if settings.retry_after:
                context.headers |= retry_after_header(usage)

    async def _answer_later(self, context: RequestContext, fault: Fault | None, latency: float) -> None:
        try:
            await context.responder.pause(latency)
            if fault is None:
                self._conclude(context)
            else:
                await self._inject(context, fault)
        except (HungUpError, StreamClosedError):
            pass  # logged below as ended without an answer
        finally:
            context.request_log.finish(context.logged, time.monotonic())

    async def _inject(self, context: RequestContext, fault: Fault) -> None:
        context.logged.fault = fault.kind.value
        if fault.kind in AROUND_THE_ANSWER:
            await send_hints(context.responder, fault)
            self._conclude(context, trailing_bytes(fault, context.trace_id))
            return
        works = fault.applied and self._refuse_body(context) is None
        good = self._apply(context) if works else None
        context.logged.status = None if fault.kind in SILENT else fault.answer_status
        await send_fault(context.responder, fault, context.headers, context.trace_id, good)

    def _conclude(self, context: RequestContext, trailing: bytes = b"") -> None:
        refusal = context.refusal or self._refuse_body(context)
        headers = {**JSON_TYPE, **context.headers}
        if refusal is None:
            status = 200 if context.logged.key in self._state.records else 201
            body = self._apply(context)
        elif refusal.html is None:
            status, body = refusal.status, json.dumps(refusal.body(context.trace_id)).encode()
        else:
            status, body, headers = refusal.status, refusal.html.encode(), HTML_TYPE
        # Logged before it is sent, so that a client that has the answer finds it in the log.
        context.logged.status = status
        context.request_log.finish(context.logged, time.monotonic())
        context.responder.end(status, headers, body, trailing)

    def _refuse_body(self, context: RequestContext) -> ErrorResponse | None:
        """Check the body against the contract of the request's version."""
        return contract.check_body(self._state.settings, context.body, context.logged.version or "")

    def _apply(self, context: RequestContext) -> bytes:
        """Apply the upsert and return the body of the answer."""
        new = context.logged.key not in self._state.records
        opportunity = self._state.records.apply(context.body, datetime.now(UTC).isoformat(timespec="milliseconds"))
        context.request_log.apply(context.logged)
        return json.dumps({"opportunity": opportunity, "new": new, "traceId": context.trace_id}).encode()
