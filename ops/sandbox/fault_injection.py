"""Sends faulty answers."""

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

from ops.sandbox.contract import EDGE_PAGE, ErrorResponse
from ops.sandbox.faults import Fault, FaultKind
from ops.sandbox.responder import HTML_TYPE, JSON_TYPE, Responder, encode_answer

MAINTENANCE_PAGE = b"<!doctype html><html><head><title>Maintenance</title></head><body>Back soon.</body></html>"
PAGES = {FaultKind.HTML_403: EDGE_PAGE.encode(), FaultKind.MAINTENANCE_PAGE: MAINTENANCE_PAGE}
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </assets/style.css>; rel=preload; as=style\r\n\r\n"
HINTS_SECONDS = 0.02  # between the hints and the answer
STRAY_BYTES = b"\r\nstray bytes"
HUGE_BYTES = 8 * 1024 * 1024
DROPS = 100
OTHER_FIELDS = {FaultKind.OTHER_CONTACT: "contactId", FaultKind.OTHER_LOCATION: "locationId"}


async def send_fault(
    responder: Responder, fault: Fault, limit_headers: Mapping[str, str], trace_id: str, good: bytes | None
) -> None:
    """Send the faulty answer. `good` is the body of the regular answer, if the request took effect.

    Raises:
        HungUpError: the client closed the connection.
    """
    status = fault.answer_status
    body = _whole_body(responder.request.body, fault, trace_id, good)
    scripted = fault.kind is FaultKind.SCRIPTED
    headers = fault.answer_headers if scripted else {**JSON_TYPE, **limit_headers, **fault.answer_headers}
    match fault.kind:
        case FaultKind.TIMEOUT:
            await responder.pause(fault.delay_seconds)
            responder.connection.close()
        case FaultKind.RESET:
            _reset(responder)
        case FaultKind.HANG_HEADERS:
            await _hang_headers(responder, fault)
        case FaultKind.SLOW_BODY:
            await _drip(responder, fault, headers, body)
        case FaultKind.STATUS | FaultKind.SCRIPTED | FaultKind.OTHER_CONTACT | FaultKind.OTHER_LOCATION:
            responder.end(status, headers, body)
        case FaultKind.HTML_403 | FaultKind.MAINTENANCE_PAGE:
            responder.end(status, HTML_TYPE, PAGES[fault.kind])
        case FaultKind.INVALID_JSON:
            responder.end(status, headers, body[: len(body) // 2])
        case FaultKind.HUGE_BODY:
            responder.end(status, headers, b'{"message": "%s"}' % (b"x" * HUGE_BYTES))
        case FaultKind.REDIRECT:
            where = f"{responder.request.protocol}://{responder.request.host}/moved"
            responder.end(status, {**headers, "Location": where}, b"")


def _whole_body(sent: bytes, fault: Fault, trace_id: str, good: bytes | None) -> bytes:
    """Return the body that the fault sends, complete or in part."""
    if fault.kind in OTHER_FIELDS:
        return _with_other_field(OTHER_FIELDS[fault.kind], sent, good)
    if good is None or fault.kind in (FaultKind.STATUS, FaultKind.SCRIPTED):
        return _body(fault, trace_id)
    return good


async def send_hints(responder: Responder, fault: Fault) -> None:
    """Send the early hints, if the fault is these, and wait as if the server were working.

    Raises:
        HungUpError: the client closed the connection.
    """
    if fault.kind is FaultKind.EARLY_HINTS:
        responder.send(EARLY_HINTS)
        await responder.pause(HINTS_SECONDS)


def trailing_bytes(fault: Fault, trace_id: str) -> bytes:
    """Return what a fault of `AROUND_THE_ANSWER` sends after the answer."""
    if fault.kind is FaultKind.EARLY_HINTS:
        return b""
    if fault.kind is FaultKind.TRAILING_BYTES:
        return fault.raw or STRAY_BYTES
    return encode_answer(fault.answer_status, {**JSON_TYPE, **fault.answer_headers}, _body(fault, trace_id))


def _body(fault: Fault, trace_id: str) -> bytes:
    if fault.kind is FaultKind.SCRIPTED:
        return fault.raw
    if isinstance(fault.body, str):
        return fault.body.encode()
    if fault.body is not None:
        return json.dumps(fault.body).encode()
    return json.dumps(ErrorResponse(fault.answer_status, fault.message).body(trace_id)).encode()


def _with_other_field(field: str, sent: bytes, good: bytes | None) -> bytes:
    """Return the regular answer, with another value in one field of the opportunity."""
    try:
        fields = json.loads(sent)
    except ValueError:
        fields = {}
    answer: dict[str, Any] = (
        json.loads(good) if good else {"opportunity": {"id": "opp-of-another", **fields}, "new": True}
    )
    answer["opportunity"][field] = f"another-{field}"
    return json.dumps(answer).encode()


def _reset(responder: Responder) -> None:
    """Close with a linger time of zero, which makes TCP send RST."""
    stream = responder.connection.stream
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


async def _hang_headers(responder: Responder, fault: Fault) -> None:
    stream = responder.connection.stream
    stream.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(DROPS):
        await responder.pause(fault.delay_seconds / DROPS)
        stream.write(b"x")
    responder.connection.close()


async def _drip(responder: Responder, fault: Fault, headers: Mapping[str, str], body: bytes) -> None:
    length = {"Content-Length": str(len(body))} if fault.sized else {}
    responder.begin(fault.answer_status, {**headers, **length})
    step = -(-len(body) // DROPS)
    for start in range(0, len(body), step):
        responder.connection.write(body[start : start + step])
        await responder.pause(fault.delay_seconds / DROPS)
    responder.connection.finish()
