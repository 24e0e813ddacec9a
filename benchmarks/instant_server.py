"""A server that costs next to nothing, so that the client is measured: `... -m benchmarks.instant_server PORT`.

HTTP/1.1 with kept connections, plain or TLS. Every POST gets the same 201, at once or after a random latency, or 429
beyond a limit of each location. Every GET gets the tally of the POSTs so far; `/arrivals` when each came.
"""

import argparse
import asyncio
import json
import random
import re
import ssl
from dataclasses import asdict, dataclass

from benchmarks.tally import ArrivalLog, Limiter, Tally

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
# As long as a real one, without the fields that a worker holds against its upsert: the answer is the same to each.
_OPPORTUNITY = {
    "new": True,
    "opportunity": {
        "id": "yWQobCRIhRguQtD2llvk",
        "name": "Deal of the spring campaign",
        "source": "VDm7RPYC2GLUvdpKmBfC",
        "pipelineStageId": "e93ba61a7b3e43b4a3b1",
        "status": "open",
        "assignedTo": "mTkSCb1UBjb5tk4OvB69",
        "lostReasonId": "ve9EPM428h8vShlRW1KT",
        "monetaryValue": 1200,
        "createdAt": "2026-08-03T04:55:17.000Z",
        "updatedAt": "2026-08-03T04:55:17.000Z",
    },
    "traceId": "0c52e980-41f6-4be7-8c4c-1b2c1a2f9a3f",
}
_LIMITS = {
    "X-RateLimit-Max": 1_000_000,
    "X-RateLimit-Remaining": 999_999,
    "X-RateLimit-Interval-Milliseconds": 10_000,
    "X-RateLimit-Limit-Daily": 1_000_000_000,
    "X-RateLimit-Daily-Remaining": 999_999_999,
    "X-RateLimit-Daily-Reset": 86_000_000,
}


def _answer(status: str, content: object, headers: dict[str, int]) -> bytes:
    body = json.dumps(content, separators=(",", ":")).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json; charset=utf-8", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


CREATED = _answer("201 Created", _OPPORTUNITY, _LIMITS)


TOO_MANY = _answer("429 Too Many Requests", {"message": "Too many requests"}, {"Retry-After": 1})


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server notes of each upsert."""

    tally: Tally
    limiter: Limiter
    log: ArrivalLog

    def note(self, request: bytes) -> bytes:
        """Note an upsert, and return the answer to it."""
        self.tally.note()
        self.log.note(request)
        if self.limiter.takes(request):
            return CREATED
        self.tally.throttled += 1
        return TOO_MANY

    def report(self, request: bytes) -> bytes:
        """Return the tally, or the arrivals, as a response."""
        wants_arrivals = request.startswith(b"GET /arrivals ")
        return _answer("200 OK", self.log.arrivals if wants_arrivals else asdict(self.tally), {})


class InstantProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, seen: Seen, latency: tuple[float, float]) -> None:
        self._seen = seen
        self._latency = latency
        self._buffer = b""
        self._needed = 0  # bytes that the buffer must exceed before it is looked at

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._buffer += data
        while len(self._buffer) > self._needed:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._buffer, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < size:
                self._needed = size - 1
                return
            self._respond(self._buffer[:size])
            self._buffer = self._buffer[size:]
            self._needed = 0

    def _respond(self, request: bytes) -> None:
        if not request.startswith(b"POST "):
            self._transport.write(self._seen.report(request))
            return
        answer = self._seen.note(request)
        if self._latency[1]:
            asyncio.get_running_loop().call_later(random.uniform(*self._latency), self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: bytes) -> None:
        self._seen.tally.note_answer()
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(options: argparse.Namespace) -> None:
    """Serve this machine until the process is ended."""
    seen = Seen(Tally(), Limiter(*options.limit), ArrivalLog(kept=options.log))
    context = None
    if options.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: InstantProtocol(seen, options.latency), "127.0.0.1", options.port, backlog=1024, ssl=context
    )
    await server.serve_forever()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instant_server")
    parser.add_argument("port", type=int)
    parser.add_argument("--latency", type=float, nargs=2, default=(0.0, 0.0), metavar="SECONDS")
    parser.add_argument("--limit", type=int, nargs=2, default=(0, 0), metavar=("REQUESTS", "SECONDS"))
    parser.add_argument("--certificate", help="PEM file with certificate and key: serve https")
    parser.add_argument("--log", action="store_true", help="keep when the upsert of each contact came")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    asyncio.run(serve(parse()))
